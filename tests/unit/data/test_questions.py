"""Questions of a user's files: read in any form, or refused with their line."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuneatlas.data.questions import (
    check_followed,
    check_questions,
    read_question_file,
    read_questions,
)
from tuneatlas.errors import UserError
from tuneatlas.tables import QUESTIONS, Row


def good(**changes: Any) -> Row:
    row: Row = {
        "id": "d/r/s",
        "domain": "d",
        "topic": "d",
        "relation": "r",
        "role": "home",
        "split": "train",
        "subject": "s",
        "question": "q?",
        "choices": ["a", "b", "c", "d"],
        "answer": 1,
        "explanation": "b it is.",
        "source": "here",
        "licence": "CC0",
    }
    return {**row, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": ["a", "b", "b ", "d"]}, "occurs more than once"),
        ({"choices": ["a", "b", " ", "d"]}, "option 3 is empty"),
        ({"choices": ["a"]}, "must be 2 to 10 texts, found 1"),
        ({"choices": list("abcdefghijk")}, "must be 2 to 10 texts, found 11"),
        ({"choices": ["a", 2, "c"]}, "option 2 is a number: put it in quotes"),
        ({"answer": 4}, "'answer' is 4"),
        ({"answer": True}, "'answer' is true"),
        ({"question": "  "}, "'question' is empty"),
        ({"id": 7}, "'id' is 7, but must be a text, in quotes"),
        ({"role": "related"}, "role related is never trained on"),
        ({"split": "trian"}, "'split' is 'trian'.*dev, train, test"),
    ],
)
def test_unsound_questions_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"file.jsonl, line 7: .*{message}"):
        check_questions([good(**changes)], ["file.jsonl, line 7"])


def test_an_id_used_twice_is_named() -> None:
    with pytest.raises(UserError, match="here 2: id 'd/r/s' is already used by here 1"):
        check_questions([good(), good()], ["here 1", "here 2"])


def test_user_questions_from_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "law.jsonl"
    entry = {"question": "q?", "choices": ["w", "x", "y", "z"], "answer": "C", "split": "test"}
    path.write_text("\n" + json.dumps(entry) + "\n")
    (row,) = read_question_file(path, "torts")
    QUESTIONS.build([row])
    assert re.fullmatch("torts/[0-9a-f]{12}", row["id"])
    assert (row["answer"], row["split"]) == (2, "test")
    assert row["explanation"] == "The right answer is y."


def test_user_questions_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "law.csv"
    path.write_text("question,choice_a,choice_b,choice_c,choice_d,answer,role\nq?,w,x,y,z,0,\n")
    (row,) = read_question_file(path, "torts")
    QUESTIONS.build([row])
    assert (row["domain"], row["answer"], row["role"]) == ("torts", 0, "home")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"{}\n", r"a\.jsonl, line 1: no 'question'"),
        ("a.jsonl", b"\n[1]\n", r"a\.jsonl, line 2: a JSON array"),
        ("a.jsonl", b"\n{\n", r"a\.jsonl, line 2.*: not JSON"),
        ("a.jsonl", b"\n\xff\n", r"a\.jsonl, line 2, column 1: byte 0xff is not UTF-8"),
        ("a.jsonl", b"", "holds no questions"),
        (
            "a.jsonl",
            b'{"question": "q", "choices": ["a", "a", "b", "c"], "answer": 0}',
            r"a\.jsonl, line 1: option 'a' occurs more than once",
        ),
        ("a.jsonl", b'{"qestion": "q"}', r"line 1: unknown column 'qestion'"),
        ("a.csv", b"question,answer\n", r"a\.csv, line 1: no column choice_a"),
        (
            "a.csv",
            b"question,choice_a,choice_b,choice_c,choice_d,answer\nq,1,2,3,4,E\n",
            r"a\.csv, line 2: 'answer' is 'E'",
        ),
        (
            "a.csv",
            b"question,choice_a,choice_b,choice_c,choice_d,answer\nq,1,2\n",
            r"a\.csv, line 2: ",
        ),
        ("a.txt", b"", r"\.jsonl or \.csv"),
    ],
)
def test_bad_files_are_told_with_their_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_question_file(path, "torts")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: there is no such file"):
        read_question_file(tmp_path / "none.csv", "torts")


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    lines = [
        {"question": f"q{n}?", "choices": list("wxyz"), "answer": 0, **r}
        for n, r in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("answer", "choices", "first", "found"),
    [
        (2, list("wxyz"), None, 2),
        (2, list("wxyz"), 1, 1),
        ("2", list("wxyz"), None, 2),
        (" c ", list("wxyz"), None, 2),
        ("J", list("0123456789"), None, 9),
        ("carbon\u00a0dioxide", ["oxygen", "carbon dioxide"], None, 1),
        ("A", ["b", "a"], None, "option B by its text and option A by its letter"),
        ("B", ["a", "B"], None, 1),
        ("2", ["1", "2", "3"], None, "option B by its text and option C by its place"),
        (2, ["1", "2", "3"], None, 2),
        (4, list("wxyz"), None, "say first_option: 1"),
        (4, list("wxyz"), 1, 3),
        (0, list("wxyz"), 1, "must be 1 to 4"),
        (-1, list("wxyz"), None, "must be 0 to 3"),
        ("9" * 5000, list("wxyz"), None, "(5,002 characters), but must be 0 to 3"),
        ("\u0661", list("wxyz"), None, "must be 0 to 3"),
        (1.0, list("wxyz"), None, "must be 0 to 3"),
        (None, list("wxyz"), None, "'answer' is null"),
        ([1], list("wxyz"), None, "'answer' is a list of 1"),
    ],
)
def test_answers_by_place_letter_or_text(
    tmp_path: Path, answer: Any, choices: list[str], first: int | None, found: int | str
) -> None:
    path = write_rows(tmp_path / "a.jsonl", {"answer": answer, "choices": choices})
    if isinstance(found, int):
        (row,) = read_question_file(path, "law", {"first_option": first})
        assert row["answer"] == found
        QUESTIONS.build([row])
    else:
        with pytest.raises(UserError, match=re.escape(found)):
            read_question_file(path, "law", {"first_option": first})


def test_numbers_that_may_count_from_one(tmp_path: Path) -> None:
    """Numbers alone, or a few beside letters, as published sets have them (ARC)."""
    for said in ([1, 2, 3, 2], ["A", "D", "1"], ["w", "B", 2]):
        path = write_rows(tmp_path / "a.jsonl", *({"answer": answer} for answer in said))
        with pytest.raises(UserError, match=r"none of its \d answers.*law\.first_option: 1"):
            read_question_file(path, "law")
        for first in (0, 1):
            rows = read_question_file(path, "law", {"first_option": first})
            assert rows[-1]["answer"] == int(said[-1]) - first


def test_ids_are_of_the_content(tmp_path: Path) -> None:
    same = {"question": "Q?", "choices": ["a", "b", "c"], "answer": "b"}
    turned = same | {"choices": ["c", "b\u00a0", "a"]}
    rows = read_question_file(write_rows(tmp_path / "a.jsonl", same, turned, {"id": 7}), "law")
    assert rows[1]["id"] == f"{rows[0]['id']}-2"
    assert rows[2]["id"] == "law/7"
    path = write_rows(tmp_path / "b.jsonl", {}, {}, {}, turned)
    assert read_question_file(path, "law")[3]["id"] == rows[0]["id"]


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Prompt,o1,o2,o3,label,answer,level\nq?,x,y,z,C,ignored,7\n")
    columns = {"question": "prompt", "choices": ["o1", "o2", "o3"], "answer": "label"}
    found = read_questions(path, "law", {"columns": columns})
    assert found.extra == ["answer (own)", "level"]
    (row,) = found.rows
    assert (row["question"], row["choices"], row["answer"]) == ("q?", ["x", "y", "z"], 2)
    path = write_rows(tmp_path / "b.jsonl", {"opts": ["r", "s"], "answer": "s"})
    path.write_text(path.read_text().replace("choices", "unused"))
    (row,) = read_question_file(path, "law", {"columns": {"choices": ["opts"]}})
    assert (row["choices"], row["answer"]) == (["r", "s"], 1)


def test_splits_are_drawn(tmp_path: Path) -> None:
    rows = [{} for _ in range(30)] + [{"role": "related"} for _ in range(5)]
    path = write_rows(tmp_path / "a.jsonl", *rows, {"question": "q1?"})
    split = {"dev": 4, "test": 10, "related_dev": 2, "seed": 0}
    found = read_question_file(path, "law", {"split": split})
    counts = Counter((r["role"], r["split"]) for r in found if r["question"] != "q1?")
    assert counts["home", "dev"] in (3, 4) and counts["home", "test"] in (9, 10)
    assert (counts["related", "dev"], counts["related", "test"]) == (2, 3)
    assert len({r["split"] for r in found if r["question"] == "q1?"}) == 1
    assert found == read_question_file(path, "law", {"split": split})
    assert found != read_question_file(path, "law", {"split": split | {"seed": 1}})
    with pytest.raises(UserError, match=r"split asks for 4 dev and 40 test .* has 30 different"):
        read_question_file(path, "law", {"split": split | {"test": 40}})
    write_rows(path, {"split": "dev"})
    with pytest.raises(UserError, match=r"line 1: states a split, but domains\.law\.split"):
        read_question_file(path, "law", {"split": split})


def test_a_question_with_few_options_cannot_be_followed() -> None:
    check_followed([good()])
    with pytest.raises(UserError, match="question d/r/s has 3 options: the study of forgetting"):
        check_followed([good(), good(choices=["a", "b", "c"])])

"""What the forgetting study asks and restores with; every bad input has one message."""

import gzip
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.examples import question
from tests.unit.steps import document
from tuneatlas.config.models.forgetting import EvaluateStages
from tuneatlas.errors import UserError
from tuneatlas.studies.forgetting import prepare as restoration
from tuneatlas.studies.forgetting.prepare import (
    GramIndex,
    check_budget,
    limit_bytes,
    pick_questions,
    prepare_restoration,
    read_corpus,
    sample_documents,
    spend,
)
from tuneatlas.tables import DOCUMENTS

OPTIONS = {
    "questions": 100,
    "stated_only": True,
    "ngram": 4,
    "overlap_share": 0.7,
    "drop_overlapping": True,
    "overlap_limit": 0.0,
    "heldout_share": 0.5,
    "licence": "none",
}
DRAWN = {"seed": 1, "tokens": 1000, "tokenizer": Path("none")}


def asked(count: int, role: str = "home", start: int = 0) -> list[dict]:
    numbers = range(start, start + count)
    return [question(100 + n, split="test", role=role, domain="numbers") for n in numbers]


ROWS = asked(4)
SAME = "Which number follows 100?\nAnswer: 101\n\nWhich number follows 7?\nAnswer: 8"
OTHER = "Which number follows 100?\nAnswer: 99. The number that follows is another."
STATED = "After 102 comes the next one, 103."


def test_a_question_overlaps_with_its_own_words_and_right_answer_only():
    index = GramIndex(ROWS, 4, 1.0)
    assert index.overlapping(SAME.upper()) == {ROWS[0]["id"]}
    assert index.overlapping(OTHER) == set()
    # Shorter than an n-gram: the whole question and answer is one.
    assert GramIndex(ROWS, 50, 0.7).overlapping(SAME) == {ROWS[0]["id"]}


def test_overlapping_and_stating_passages_are_left_out_and_counted():
    documents = [
        document(0, SAME),
        document(1, OTHER),
        document(2, f"{STATED}\nAfter 3 comes 4.", states=(ROWS[2]["id"],)) | {"kind": "facts"},
        document(3, SAME, "heldout"),
        document(4, SAME, "pretrain"),
        document(5, "All is said without its name.", states=(ROWS[3]["id"],)),
    ]
    found = prepare_restoration({"numbers": ROWS}, {}, documents, OPTIONS, **DRAWN)
    assert [(d["id"], d["text"]) for d in found.documents] == [
        ("restore/0", "Which number follows 7?\nAnswer: 8"),
        ("restore/1", OTHER),
        ("restore/2", "After 3 comes 4."),
        ("heldout/3", SAME),
    ]
    assert found.questions == ROWS
    overlap = found.overlap
    assert (overlap["overlapping_questions_before"], overlap["overlapping_questions"]) == (1, 0)
    assert overlap["restore_characters"] == sum(len(d["text"]) for d in found.documents[:3])
    assert overlap["restore_characters_read"] > overlap["restore_characters"]
    assert overlap["restore_documents"] == 3


def test_a_conversation_is_left_out_as_a_whole():
    spoken = [
        document(n, f"User: {text}\nAssistant: 101", states=states) | {"kind": "dialogue"}
        for n, (text, states) in enumerate([("Which number follows 100?", ()), ("Why?", ())])
    ]
    found = prepare_restoration({"numbers": ROWS}, {}, spoken, OPTIONS | {"ngram": 3}, **DRAWN)
    assert [d["text"] for d in found.documents] == [spoken[1]["text"]]


def test_overlap_over_the_limit_stops_before_training():
    options = {**OPTIONS, "drop_overlapping": False, "overlap_limit": 0.2}
    with pytest.raises(UserError, match=r"overlaps 1 of the 4 questions .* 25\.0% is over"):
        prepare_restoration({"numbers": ROWS}, {}, [document(0, SAME)], options, **DRAWN)
    options["overlap_limit"] = 0.25
    found = prepare_restoration({"numbers": ROWS}, {}, [document(0, SAME)], options, **DRAWN)
    assert found.overlap["overlapping_share"] == 0.25


def test_questions_are_stated_test_questions_of_both_roles():
    rows = [*asked(10), *asked(3, "related", 20), question(1)]
    stated = {row["id"]: number % 5 for number, row in enumerate(rows)}
    chosen = pick_questions(rows, stated, 6, "seed")
    assert len(chosen) == 6
    assert all(stated[row["id"]] and row["split"] == "test" for row in chosen)
    assert chosen == sorted(chosen, key=lambda row: rows.index(row))
    # Few related questions: home questions take the room.
    assert sum(row["role"] == "related" for row in pick_questions(rows, {}, 10, "seed")) == 3
    assert len(pick_questions(rows, {}, 1000, "seed")) == 13


def test_a_budget_is_spent_to_the_token():
    texts = [[1] * 5, [2] * 7, [3] * 9]
    whole = [1] * 5 + [2] * 7 + [3] * 9
    for tokens in (1, 5, 12, 21):
        rest = iter(texts)
        assert [i for ids in spend(rest, tokens) for i in ids] == whole[:tokens]
        # What comes after the budget is not even read.
        assert len(list(rest)) == {1: 2, 5: 2, 12: 1, 21: 0}[tokens]


def test_a_budget_larger_than_the_corpus():
    with pytest.raises(UserError, match=r"restore_stages.tokens: 22 asked for, but .* has 21"):
        list(spend([[1] * 5, [2] * 7, [3] * 9], 22))


def test_a_corpus_is_sampled_as_far_as_it_is_needed(monkeypatch: pytest.MonkeyPatch):
    documents = [document(n, f"{n:04}" * 3) for n in range(1000)]
    documents += [document(n, "x" * 10, "heldout") for n in range(50)]
    documents.append(document(0, "seen", "pretrain"))
    monkeypatch.setattr(restoration, "HELDOUT", 95)
    found = sample_documents(iter(documents), 10, seed=1)
    restore = [d for d in found if d["split"] == "restore"]
    # 480 bytes of twelve each, from everywhere, in their order; 95 of ten each.
    assert (len(restore), len(found)) == (40, 50)
    assert found == [d for d in documents if d in found]
    assert sum(int(d["id"].split("/")[1]) < 500 for d in restore) in range(8, 33)
    assert sample_documents(documents, 10, seed=2) != found
    # A corpus that is not larger is kept whole.
    assert sample_documents(documents[:30], 10, seed=1) == documents[:30]


def test_a_budget_is_checked_before_training(tmp_path: Path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    documents = [document(0, "Paris is the capital."), document(1, "much more" * 99, "heldout")]
    check_budget(documents, tmp_path / "tokenizer.json", 5)
    with pytest.raises(UserError, match="lower the budget"):
        check_budget(documents, tmp_path / "tokenizer.json", 500)
    drawn = DRAWN | {"tokenizer": tmp_path / "tokenizer.json"}
    with pytest.raises(UserError, match="lower the budget"):
        prepare_restoration({"numbers": ROWS}, {}, documents, OPTIONS, **drawn)


@pytest.mark.parametrize("name", ["text.jsonl", "text.jsonl.gz", "text.parquet"])
def test_own_text_is_dealt_to_restore_and_heldout(tmp_path: Path, name: str):
    texts = [f"document {n}" for n in range(50)]
    path = tmp_path / name
    if name.endswith("parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": texts}), path)
    else:
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
        path.write_bytes(gzip.compress(lines) if name.endswith("gz") else lines)
    rows = list(read_corpus(path, OPTIONS, seed=1))
    DOCUMENTS.build(rows)
    assert [row["text"] for row in rows] == texts
    assert {row["split"] for row in rows} == {"restore", "heldout"}
    assert rows == list(read_corpus(path, OPTIONS, seed=1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"txt": "b"}\n', "line 2: not a JSON object with a 'text'"),
        (b"plain\n", "line 1, column 1: not JSON"),
        (b'{"text": "\xff"}\n', "line 1, column 11: byte 0xff is not UTF-8"),
    ],
)
def test_own_text_that_is_not_such(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "text.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        list(read_corpus(path, OPTIONS, seed=1))


def test_a_text_that_occurs_again_is_on_one_side(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"document {n % 20}\n" for n in range(80)))
    sides: dict[str, set[str]] = {}
    for row in read_corpus(path, OPTIONS | {"heldout_share": 0.5}, seed=1):
        sides.setdefault(row["text"], set()).add(row["split"])
    assert all(len(found) == 1 for found in sides.values())
    assert set.union(*sides.values()) == {"restore", "heldout"}


def test_a_damaged_parquet_corpus(tmp_path: Path):
    path = tmp_path / "text.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(read_corpus(path, OPTIONS, seed=1))


def test_what_is_kept_is_enough_to_measure_on():
    with pytest.raises(ValidationError):
        EvaluateStages(heldout_bytes=restoration.HELDOUT + 1)
    EvaluateStages(heldout_bytes=restoration.HELDOUT)


def test_heldout_text_is_limited_by_whole_documents():
    documents = [document(n, "x" * 10, "heldout") for n in range(9)] + [document(0, "x")]
    assert sum(len(d["text"]) for d in limit_bytes(documents, 45, seed=1)) == 40
    assert len(limit_bytes(documents, 1, seed=1)) == 1
    assert {d["split"] for d in limit_bytes(documents, 1000, seed=1)} == {"heldout"}

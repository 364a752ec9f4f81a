"""The data of Ren et al. 2024 as released: read unchanged, counted, refused if they are not it."""

import json
import random
from pathlib import Path

import pytest

from tests.examples import ROOT
from tuneatlas.data.domains import count_unexplained, prepare_counted
from tuneatlas.data.released_files import GROUP_FILES, RAW, other_model, question_files
from tuneatlas.data.self_aligning import (
    read_groups,
    read_released,
    refuse_unknown,
    writers_prompt,
)
from tuneatlas.data.xiezhi import split_in_turn
from tuneatlas.errors import UserError

# Not ours to ship (Xiezhi is CC BY-NC-SA): read where they are at hand.
RELEASED = ROOT.parent / "shared" / "data" / "self-aligning-released"
at_hand = pytest.mark.skipif(not RELEASED.is_dir(), reason=f"no released data at {RELEASED}")
LIMITS = dict.fromkeys(("dev", "train", "test", "related_dev", "related_test"))


def entry(number: int, **changes: object) -> dict:
    """A row of a question file, as the authors have them."""
    row = {
        "id": number,
        "question": f"What  follows {number}?\nSay. ",
        "choices": [str(number + d) for d in (1, 2, 3, 4)],
        "answer": 0,
        "explanation": f"{number + 1} follows.",
        "raw": {},
    }
    return row | changes


def grouped(number: int, group: str, **changes: object) -> dict:
    """A row of a group file."""
    right = group == "harmonious"
    probs = [0.7, 0.1, 0.1, 0.1] if right else [0.1, 0.1, 0.7, 0.1]
    pred = 0 if right else 2
    label = pred if group == "self_aligning" else 0
    said = {"correct": right, "pred": pred, "probs": probs, "golden_prob": probs[0]}
    said |= {"pred_prob": 0.7, "output": label}
    if group == "self_aligning":
        said |= {"explanation": None, "model_exp": "So.", "model_exp_gen": "```\nSo.\n```"}
        said |= {"gen_exp": {"input": "", "output": "Because."}}
    return entry(number) | said | changes


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release of its own: three splits, and the groups of one model."""
    for split, numbers in (("dev", range(3)), ("test", range(3, 6)), ("train", range(6, 20))):
        write(tmp_path / f"source/history/{split}.jsonl", [entry(n) for n in numbers])
    for group, numbers in (
        ("harmonious", (6, 7)),
        ("incompatible", (8, 9)),
        ("self_aligning", (8, 9)),
    ):
        rows = [grouped(n, group) for n in numbers]
        write(tmp_path / f"group/llama-2-7b/history/{GROUP_FILES[group]}", rows)
    return tmp_path


def test_texts_are_as_they_are(folder: Path):
    found = read_released(folder, "history")
    assert [row["id"] for row in found.rows] == [f"history/{n}" for n in range(20)]
    assert found.rows[3]["question"] == "What  follows 3?\nSay. "
    assert [row["split"] for row in found.rows].count("train") == 14
    assert found.quirks["source/history/test.jsonl"] == {
        "questions": 3,
        "line_breaks": 3,
        "stray_spaces": 3,
    }


def test_what_is_odd_is_counted_and_kept(folder: Path):
    rows = [
        entry(6, choices=["a", "a", "b", "c"]),
        entry(7, explanation=""),
        entry(8, question="Again?"),
        entry(9, question="Again?", explanation=None),
    ]
    write(folder / "source/history/train.jsonl", rows)
    found = read_released(folder, "history")
    assert found.quirks["source/history/train.jsonl"] == {
        "questions": 4,
        "equal_options": 1,
        "repeated": 1,
        "line_breaks": 2,
        "stray_spaces": 2,
        "no_explanation": 2,
    }
    assert found.rows[6]["choices"] == ["a", "a", "b", "c"]


def test_a_domain_is_prepared_with_its_counts(folder: Path):
    options = {"source": "self_aligning", "path": str(folder), "licence": "L", "related": []}
    options |= {"limits": LIMITS | {"test": 2}, "duplicates": "allow", "tune": True, "groups": []}
    rows, counts, _ = prepare_counted("history", [], options, mentioned_share=0.5, seed=1)
    assert {r["licence"] for r in rows} == {"L"}
    assert sum(r["split"] == "test" for r in rows) == 2
    assert set(counts["quirks"]) == {f"source/history/{s}.jsonl" for s in ("dev", "test", "train")}
    assert count_unexplained([{**rows[3], "explanation": ""}], options) == {"unexplained": 1}


def test_without_a_file_of_training_questions_those_of_the_groups_are_taken(folder: Path):
    (folder / "source/history/train.jsonl").unlink()
    found = read_released(folder, "history", ["llama-2-7b"])
    train = {row["id"]: row for row in found.rows if row["split"] == "train"}
    assert sorted(train) == [f"history/{n}" for n in (6, 7, 8, 9)]
    assert train["history/8"]["explanation"] == "9 follows."
    files = {path.name for path in question_files(folder, "history", ["llama-2-7b"])}
    assert files == {"dev.jsonl", "test.jsonl", *GROUP_FILES.values()}
    assert not [r for r in read_released(folder, "history").rows if r["split"] == "train"]


BAD_QUESTIONS = [
    ({"id": "7"}, "line 1: 'id' is '7', but must be a number"),
    ({"choices": ["a", "b", "c"]}, "line 1: 'choices' is a list of 3, but must be 4 texts"),
    ({"answer": 4}, "line 1: 'answer' is 4, but must be 0 to 3"),
    ({"question": None}, "line 1: 'question' is null, but must be a text"),
    ({"id": 3}, "line 1: id 'history/3' is already used by .*test.jsonl, line 1"),
]


@pytest.mark.parametrize(("change", "said"), BAD_QUESTIONS)
def test_what_is_no_question_is_named_by_file_and_line(folder: Path, change, said):
    write(folder / "source/history/train.jsonl", [entry(6, **change)])
    with pytest.raises(UserError, match=said):
        read_released(folder, "history")


def test_another_folder_is_refused(folder: Path):
    with pytest.raises(UserError, match="has no source/engineering"):
        read_released(folder, "engineering")
    with pytest.raises(UserError, match="no group/mistral-7b; there are: llama-2-7b"):
        read_groups(folder, "mistral-7b", "history")


BAD_GROUPS = [
    ("incompatible", {"pred": 1}, "'pred' is 1, not the most probable option"),
    ("incompatible", {"correct": True}, "'correct' is not whether"),
    ("incompatible", {"output": 2}, "'output' is 2, but the label of this file is its 'answer'"),
    ("self_aligning", {"output": 0}, "'output' is 0, but the label of this file is its 'pred'"),
    ("self_aligning", {"model_exp": None}, "'model_exp' is null, but must be a text"),
    ("harmonious", {"probs": [1.0]}, "'probs' is a list of 1, but must be 4 numbers"),
    ("self_aligning", {"id": 7}, "its questions are not those of inconsistent-golden-exp.jsonl"),
]


@pytest.mark.parametrize(("group", "change", "said"), BAD_GROUPS)
def test_a_group_that_is_not_what_its_file_says(folder: Path, group, change, said):
    path = folder / f"group/llama-2-7b/history/{GROUP_FILES[group]}"
    number = 6 if group == "harmonious" else 8
    other = 7 if group == "harmonious" else 9
    write(path, [grouped(number, group, **change), grouped(other, group)])
    with pytest.raises(UserError, match=said):
        read_groups(folder, "llama-2-7b", "history")


def test_a_group_whose_questions_are_not_in_the_question_files(folder: Path):
    questions = {row["id"]: row for row in read_released(folder, "history").rows}
    groups = read_groups(folder, "llama-2-7b", "history")
    refuse_unknown(groups, questions, "history")
    other = {**questions, "history/8": {**questions["history/8"], "answer": 1}}
    tested = {**questions, "history/8": {**questions["history/8"], "split": "test"}}
    lacking = {i: row for i, row in questions.items() if i != "history/8"}
    for known, said in (
        (lacking, "is not in"),
        (other, "is another one in"),
        (tested, "is a test"),
    ):
        with pytest.raises(
            UserError, match=rf"golden-exp.jsonl, line 1: question 'history/8' {said}"
        ):
            refuse_unknown(groups, known, "history")


def test_a_model_is_known_by_its_names():
    assert other_model("llama-2-7b", ["llama2-7b", "meta-llama/Llama-2-7b-hf"]) is None
    assert other_model("llama-2-7b", ["x", "mistralai/Mistral-7B-v0.1"]) == "mistral-7b"
    assert other_model("llama-2-7b", ["llama2-70b"]) == "llama-2-70b"
    assert other_model("llama-2-7b", ["tiny", "/models/mine"]) is None


def test_splits_are_drawn_from_the_raw_benchmark(tmp_path: Path, caplog):
    for name in RAW:
        raw = [
            {"question": f"{name} {n}?", "options": "a\nb\nb\nc", "answer": "b", "labels": []}
            for n in range(300)
        ]
        # Numbers are those of the file; a row without four options is left out.
        raw[5]["options"] = "a\nb"
        write(tmp_path / f"{name.capitalize()}.jsonl", raw)
    found = read_released(tmp_path, "history")
    assert "the authors had 8958" in caplog.text
    splits = [row["split"] for row in found.rows]
    assert [splits.count(s) for s in ("test", "dev", "train")] == [250, 10, 39]
    rng = random.Random(42)
    for _ in ("engineering", "history"):
        order = [n for n in range(300) if n != 5]
        rng.shuffle(order)
    tests = [row["id"] for row in found.rows if row["split"] == "test"]
    assert tests == [f"history/{n}" for n in order[:250]]
    # Of two equal options the gold one is the first.
    assert {row["answer"] for row in found.rows} == {1}
    with pytest.raises(UserError, match="raw Xiezhi has no domain 'medicine'"):
        read_released(tmp_path, "medicine")
    # A file too short to train on is read, and its splits are named by it alike.
    write(tmp_path / "History.jsonl", raw[:255])
    found = read_released(tmp_path, "history")
    assert [row["split"] for row in found.rows].count("train") == 0
    assert found.quirks[f"{tmp_path / 'History.jsonl'}, dev"]["questions"] == 4


@at_hand
def test_the_splits_of_the_authors_follow_from_seed_42():
    drawn = split_in_turn({name: list(range(count)) for name, count in RAW.items()})
    for domain in ("engineering", "history", "jurisprudence"):
        for split in ("dev", "test"):
            path = RELEASED / f"source/{domain}/{split}.jsonl"
            ids = [json.loads(line)["id"] for line in path.open(encoding="utf-8")]
            assert ids == drawn[domain][split], path


@at_hand
def test_every_released_file_is_read_unchanged():
    equal = {}
    for domain, name in (
        ("engineering",) * 2,
        ("history",) * 2,
        ("jurisprudence",) * 2,
        ("medicine", "medmcqa"),
    ):
        rows = {row["id"]: row for row in read_released(RELEASED, domain).rows}
        for split in ("dev", "test"):
            path = RELEASED / f"source/{name}/{split}.jsonl"
            theirs = [json.loads(line) for line in path.open(encoding="utf-8")]
            for row in theirs:
                ours = rows[f"{domain}/{row['id']}"]
                keys = ("question", "choices", "answer", "explanation")
                assert {k: ours[k] for k in keys} == {k: row[k] for k in keys}
        quirks = read_released(RELEASED, domain).quirks[f"source/{name}/test.jsonl"]
        equal[domain] = quirks.get("equal_options", 0)
        assert quirks["questions"] == (1462 if domain == "medicine" else 250)
    assert equal == {"engineering": 2, "history": 1, "jurisprudence": 0, "medicine": 7}


@at_hand
def test_the_prompts_that_the_writer_of_explanations_saw_are_rebuilt():
    """Every stored one, from the texts as read: not a blank of them is changed."""
    ends = {}
    for path in sorted(RELEASED.glob("*/**/*.jsonl")):
        for values in map(json.loads, path.open(encoding="utf-8")):
            if "gen_exp" not in values:
                continue
            rebuilt = writers_prompt({**values, "domain": path.parent.name})
            asked = values["gen_exp"]["input"]
            # The dev files have it without the blanks at its end.
            assert asked == (rebuilt.rstrip() if path.stem == "dev" else rebuilt), path
            ends[path.stem == "dev"] = ends.get(path.stem == "dev", 0) + 1
    assert ends == {True: 30, False: 8322}


@at_hand
@pytest.mark.parametrize(
    ("model", "domain", "rows", "unended", "empty"),
    [
        ("llama-2-7b", "engineering", 738, 293, 14),
        ("mistral-7b", "engineering", 534, 294, 0),
        ("mistral-7b", "history", 838, 555, 5),
    ],
)
def test_released_groups_have_the_sizes_that_were_counted(model, domain, rows, unended, empty):
    from tests.examples import TEMPLATES
    from tuneatlas.models.prompts import ExplainTemplate
    from tuneatlas.studies.knowledge.explain import kept_text
    from tuneatlas.studies.knowledge.released import take_groups

    template = ExplainTemplate.load(TEMPLATES / "explain" / "urial_1shot.yaml")
    questions = {r["id"]: r for r in read_released(RELEASED, domain, [model]).rows}
    taken = take_groups(RELEASED, model, domain, questions, template)
    assert [sum(r["group"] == g for r in taken.labels) for g in GROUP_FILES] == [rows] * 3
    assert sum(r["finish"] == "length" for r in taken.explanations) == unended
    assert sum(not r["explanation"] for r in taken.explanations) == empty
    # What they kept of what was written is what we keep of it.
    for record in read_groups(RELEASED, model, domain)["self_aligning"].records:
        assert kept_text(template, record.values["model_exp_gen"])[0] == record.values["model_exp"]

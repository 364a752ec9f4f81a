"""How many questions a run will ask, before they are there."""

import json
from pathlib import Path

from tests.examples import ROOT, question
from tuneatlas.config.load import load_config, resolve
from tuneatlas.data.benchmarks import load_sets
from tuneatlas.engine.operations import split
from tuneatlas.sizing.counts import count_questions

FILE = {"source": "file", "path": "law.jsonl", "related": []}
NONE = dict.fromkeys(("dev", "train", "test", "related_dev", "related_test"))


def test_questions_of_a_file_are_counted_up_to_the_limits(tmp_path: Path):
    entry = FILE | {"limits": NONE | {"test": 2}, "expected": {"train": 7, "test": 9}}
    told = count_questions("law", entry, tmp_path)
    assert str(told) == "7 train, 2 test, 250 related_test (assumed)"
    parts = [{"split": s} for s in ("dev", "train", "train", "train", "test", "test", "test")]
    parts.append({"split": "test", "role": "related"})
    rows = [question(n, **part) for n, part in enumerate(parts)]
    for row in rows:
        del row["topic"]  # a table's, not a file's
    (tmp_path / "law.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert str(count_questions("law", entry, tmp_path)) == "3 train, 2 test, 1 related_test"
    assert count_questions("law", entry, tmp_path).numbers["dev"] == 1
    assert count_questions("law", entry, None) == told
    more = count_questions("law", entry | {"related": ["mmlu/law"]}, tmp_path)
    assert more.numbers["related_test"] == 1 + 1763


def test_questions_of_published_sets_are_those_that_are_left():
    limits = {"dev": 10, "test": 250, "train": None, "related_dev": 10, "related_test": None}
    entry = {"source": "benchmark", "home": ["medmcqa"], "related": ["mmlu/health"]}
    told = count_questions("medicine", entry | {"limits": limits}, ROOT)
    assert str(told) == "3,923 train, 250 test, 1,640 related_test"
    every = entry | {"home": [], "related": list(load_sets()), "limits": limits}
    assert count_questions("all", every, ROOT).numbers["related_test"] == 14042 + 6552


def test_what_a_file_is_expected_to_hold_changes_no_result():
    config = resolve(load_config(ROOT / "config/own.yaml", root=ROOT))
    science, operations = split(config)
    assert "expected" not in science["domains"]["law"]
    assert operations["domains"]["law"]["expected"]["train"] == 2000

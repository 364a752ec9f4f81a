import json
from pathlib import Path

import pytest
from conftest import question

from tuneatlas.domains import count_unexplained, prepare_questions
from tuneatlas.errors import UserError

NONE = {"dev": None, "train": None, "test": None, "related_dev": None, "related_test": None}


def question_file(folder: Path, rows: list[dict]) -> Path:
    path = folder / "law.jsonl"
    own = [{k: v for k, v in row.items() if k != "topic"} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
    return path


def test_a_file_of_questions_with_limits(tmp_path: Path):
    rows = [question(n, split=s) for n, s in enumerate(["dev", "train", "train", "test", "test"])]
    path = question_file(tmp_path, rows)
    options = {"source": "file", "path": str(path), "licence": "CC0", "related": [], "limits": NONE}
    found = prepare_questions("law", [path], options, mentioned_share=0.5, seed=0)
    assert [r["split"] for r in found] == ["dev", "train", "train", "test", "test"]
    assert {(r["domain"], r["licence"]) for r in found} == {("law", "CC0")}
    fewer = options | {"limits": NONE | {"train": 1, "test": 2}}
    assert len(prepare_questions("law", [path], fewer, mentioned_share=0.5, seed=0)) == 4


def test_too_few_questions_name_the_key(tmp_path: Path):
    path = question_file(tmp_path, [question(1, split="train")])
    options = {"source": "file", "licence": "CC0", "related": [], "limits": NONE | {"train": 5}}
    with pytest.raises(UserError, match=r"domains.law.limits.train: 5 home train questions asked"):
        prepare_questions("law", [path], options, mentioned_share=0.5, seed=0)


def test_missing_explanations_are_counted(tmp_path: Path, caplog):
    rows = [question(n, split="train") for n in range(3)]
    rows += [question(3, split="test"), question(4, split="train")]
    for row in rows[2:]:
        del row["explanation"]
    options = {"source": "file", "licence": "CC0", "related": [], "limits": NONE, "tune": True}
    path = question_file(tmp_path, rows)
    found = prepare_questions("law", [path], options, mentioned_share=0.5, seed=0)
    assert count_unexplained(found, options) == {"unexplained": 2}
    assert "2 of 4 training questions have no explanation" in caplog.text
    caplog.clear()
    assert count_unexplained(found[:2], options) == {"unexplained": 0}
    assert count_unexplained(found, options | {"tune": False}) == {}
    assert not caplog.text

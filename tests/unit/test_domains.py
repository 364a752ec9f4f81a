import json
from pathlib import Path

import pytest
from conftest import question

from tuneatlas.domains import prepare_questions
from tuneatlas.errors import UserError

NONE = {"dev": None, "train": None, "test": None, "related_dev": None, "related_test": None}


def question_file(folder: Path, rows: list[dict]) -> Path:
    path = folder / "law.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_of_questions_with_limits(tmp_path: Path):
    rows = [question(n, split=s) for n, s in enumerate(["dev", "train", "train", "test", "test"])]
    path = question_file(tmp_path, rows)
    options = {"source": "file", "path": str(path), "licence": "CC0", "limits": NONE}
    found = prepare_questions("law", [path], options, mentioned_share=0.5, seed=0)
    assert [r["split"] for r in found] == ["dev", "train", "train", "test", "test"]
    assert {(r["domain"], r["licence"]) for r in found} == {("law", "CC0")}
    fewer = options | {"limits": NONE | {"train": 1, "test": 2}}
    assert len(prepare_questions("law", [path], fewer, mentioned_share=0.5, seed=0)) == 4


def test_too_few_questions_name_the_key(tmp_path: Path):
    path = question_file(tmp_path, [question(1, split="train")])
    options = {"source": "file", "licence": "CC0", "limits": NONE | {"train": 5}}
    with pytest.raises(UserError, match=r"domains.law.limits.train: 5 home train questions asked"):
        prepare_questions("law", [path], options, mentioned_share=0.5, seed=0)

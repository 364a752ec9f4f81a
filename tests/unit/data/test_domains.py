"""A domain's questions, from facts, files and published sets together."""

import json
from pathlib import Path

import pytest

from tests.examples import question
from tuneatlas.config.packages import earlier_domains
from tuneatlas.config.slices import question_sources
from tuneatlas.data.domains import count_unexplained, prepare_counted
from tuneatlas.errors import UserError
from tuneatlas.report.context import notes_on

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
    found = prepare_counted("law", [path], options, mentioned_share=0.5, seed=0).rows
    assert [r["split"] for r in found] == ["dev", "train", "train", "test", "test"]
    assert {(r["domain"], r["licence"]) for r in found} == {("law", "CC0")}
    fewer = options | {"limits": NONE | {"train": 1, "test": 2}}
    assert len(prepare_counted("law", [path], fewer, mentioned_share=0.5, seed=0).rows) == 4


def test_too_few_questions_name_the_key(tmp_path: Path):
    path = question_file(tmp_path, [question(1, split="train")])
    options = {"source": "file", "licence": "CC0", "related": [], "limits": NONE | {"train": 5}}
    with pytest.raises(UserError, match=r"domains.law.limits.train: 5 home train questions asked"):
        prepare_counted("law", [path], options, mentioned_share=0.5, seed=0)


def test_missing_explanations_are_counted(tmp_path: Path, caplog):
    rows = [question(n, split="train") for n in range(3)]
    rows += [question(3, split="test"), question(4, split="train")]
    for row in rows[2:]:
        del row["explanation"]
    options = {"source": "file", "licence": "CC0", "related": [], "limits": NONE, "tune": True}
    path = question_file(tmp_path, rows)
    found = prepare_counted("law", [path], options, mentioned_share=0.5, seed=0).rows
    assert count_unexplained(found, options) == {"unexplained": 2}
    assert "2 of 4 training questions have no explanation" in caplog.text
    caplog.clear()
    assert count_unexplained(found[:2], options) == {"unexplained": 0}
    assert count_unexplained(found, options | {"tune": False}) == {}
    assert not caplog.text


def test_what_another_domain_asks_is_found_in_the_later_one(tmp_path: Path):
    (tmp_path / "art").mkdir()
    art = question_file(tmp_path / "art", [question(n, split="test", id=f"a{n}") for n in range(3)])
    rows = [question(n, split="train", id=f"l{n}", level=7) for n in range(2, 6)]
    path = question_file(tmp_path, rows)
    entry = {"source": "file", "licence": "CC0", "related": [], "limits": NONE}
    earlier = {"art": {**entry, "path": str(art)}}
    options = {**entry, "path": str(path)}
    drawn = {"mentioned_share": 0.5, "seed": 0, "earlier": earlier}
    with pytest.raises(
        UserError,
        match=r"1 are asked in another domain, .*law\.jsonl, line 1 \(train\) and a2 \(test\)",
    ):
        prepare_counted("law", [path], options, **drawn)
    found = prepare_counted("law", [path], {**options, "duplicates": "drop"}, **drawn)
    assert [row["id"] for row in found.rows] == ["l3", "l4", "l5"]
    assert found.counts == {
        "duplicates": {"in_another_domain": 1, "drop": 1},
        "other_columns": ["level"],
    }
    assert notes_on({"law": found.counts["duplicates"], "art": {}}) == [
        "Of the questions on law, 1 are asked in another domain; they are left out but once."
    ]


def test_files_give_way_to_published_sets_and_these_to_facts():
    domains = {
        "law": {"source": "file", "path": "law.csv", "related": ["mmlu/law"]},
        "sets": {"source": "benchmark", "home": ["sciq"], "related": []},
        "art": {"source": "file", "path": "art.csv", "related": []},
        "elements": {"source": "facts"},
    }
    config = {"domains": domains}
    assert list(earlier_domains(config, "elements")) == []
    assert list(earlier_domains(config, "sets")) == ["elements"]
    assert list(earlier_domains(config, "art")) == ["elements", "sets"]
    # Of two files, by name: the order in the config means nothing.
    assert list(earlier_domains(config, "law")) == ["elements", "sets", "art"]
    # The domain's own file is the last.
    packages, files = question_sources(config, "law")
    assert files == ["art.csv", "law.csv"]
    assert {"sciq", "mmlu"} <= set(packages)

"""The rows that each step must have written, counted from its inputs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tuneatlas.audit.checks import INTEGRITY, run_checks
from tuneatlas.audit.counts import COUNTS, shard_ids
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES
from tuneatlas.tables import DOCUMENTS, QUESTIONS, STAGE_ANSWERS


def test_a_sentence_without_a_parse_is_missed_in_its_shard(whole: Results, tmp_path: Path):
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    name = "parse_sentences/1-of-1.parquet"
    PARSES.write(moved / name, PARSES.read(moved / name)[:1])
    found = run_checks(read_results(moved), INTEGRITY)
    said = [f.why for f in found if (f.kind, f.where) == ("rows", f"results/{name}")]
    assert said == ["1 of 2 sentences of its shard are not in it, such as s/2"]


def test_a_shard_is_asked_for_its_own_sentences(tmp_path: Path):
    """Whatever the groups of rows are that the sentences are written in."""
    rows = [{"id": f"s/{n}", "sentence": "", "source": "", "licence": ""} for n in range(20)]
    table = SENTENCES.build(rows)
    for size in (1, 3, 7, 20):
        pq.write_table(table, tmp_path / "sentences.parquet", row_group_size=size)
        shards = [shard_ids(tmp_path / "sentences.parquet", f"{k}-of-3") for k in (1, 2, 3)]
        assert [len(ids) for ids in shards] == [6, 7, 7]
        assert [i for ids in shards for i in ids] == [row["id"] for row in rows]


def followed(whole: Results, tmp_path: Path, drop: Callable[[dict], bool]) -> list[str]:
    """What the row counts say of a run's answers, of which some rows are dropped."""
    output = "results/evaluate_stages/mini/facts/incompatible/0.answers.parquet"
    folder = tmp_path / "results"
    material = folder / "prepare_restoration/mini"
    rows = pq.read_table(whole.place(output)).to_pylist()
    asked = {row["id"] for row in rows}
    questions = QUESTIONS.read(whole.place("results/prepare_questions/facts.parquet"))
    QUESTIONS.write(material / "questions.parquet", [q for q in questions if q["id"] in asked])
    DOCUMENTS.write(material / "documents.parquet", [])
    kept = [row for row in rows if not drop(row)]
    place = folder / output.removeprefix("results/")
    STAGE_ANSWERS.write(place, kept)
    record = {"output": output, "inputs": {"results/prepare_restoration/mini": ""}, "options": {}}
    return list(COUNTS["evaluate_stages"](Results(folder, tmp_path), record))


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (lambda row: False, []),
        (lambda row: row["restored"] == 100, ["stages step 4: no rows of the model restored 100%"]),
        (lambda row: row["restored"] == 0 and row["pred"] == 2, ["stages step 4, restored 0%: "]),
    ],
)
def test_rows_of_the_forgetting_study_are_counted(whole, tmp_path, drop, said: list[str]):
    found = followed(whole, tmp_path, drop)
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))

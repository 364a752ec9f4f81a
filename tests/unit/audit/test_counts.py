"""The rows that each step must have written, counted from its inputs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.unit.small_results import PROBED
from tuneatlas.audit.checks import INTEGRITY, run_checks
from tuneatlas.audit.counts import COUNTS, UncountableError, shard_ids
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.engine.records import dump, record_path
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


def rows_findings(results: Results) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in run_checks(results, INTEGRITY):
        if finding.kind == "rows":
            found.setdefault(finding.where, []).append(finding.why)
    return found


@pytest.mark.parametrize(
    ("step", "change", "why"),
    [
        ("mix_instructions", {"wildcards": {}}, "its record says group ''"),
        ("mix_instructions", {"wildcards": {"group": "mixed_x"}}, "says group 'mixed_x'"),
        ("parse_sentences", {"wildcards": {"scatteritem": "1of2"}}, "says scatteritem '1of2'"),
        ("evaluate_stages", {"options": {"conversations": "all"}}, "says conversations 'all'"),
        ("parse_sentences", {"inputs": {}}, ""),
        ("label_knowledge", {"options": {"harmonious_size": [1]}}, ""),
    ],
)
def test_a_record_that_does_not_say_what_its_rows_are_is_named(
    whole: Results, tmp_path: Path, step: str, change: dict, why: str
):
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    name = next(iter(whole.of_step(step)), f"results/{PROBED}")
    path = record_path(moved / name.removeprefix("results/"))
    record = {k: v for k, v in json.loads(path.read_text()).items() if k != "seal"}
    path.write_text(dump(record | {"step": step} | change))
    found = rows_findings(read_results(moved)).get(name, [])
    assert all("\n" not in text for text in found)
    assert any(why in text for text in found) or not why


def test_the_questions_of_a_treatment_are_those_of_its_group(whole: Results):
    """They are counted as those of the group are; taken for another group's, others are missed."""
    name = next(n for n in whole.of_step("mix_instructions") if "/incompatible/" in n)
    for step in ("mix_treatment", "explain_treatment"):
        count, record = COUNTS[step], whole.records[name]
        as_group = list(COUNTS["mix_instructions"](whole, record))
        assert list(count(whole, record | {"params": {"group": "incompatible"}})) == as_group
        (missed,) = count(whole, record | {"params": {"group": "harmonious"}})
        assert "of its rows are not questions of group harmonious" in missed
        with pytest.raises(UncountableError, match="says group 'mixed_20'"):
            list(count(whole, {"params": {"group": "mixed_20"}}))


def test_a_fault_of_the_audit_itself_is_no_finding(whole: Results, monkeypatch):
    def faulty(results: Results, record: dict):
        yield {}[record["step"]]

    monkeypatch.setitem(COUNTS, "probe_knowledge", faulty)
    with pytest.raises(KeyError):
        run_checks(whole, INTEGRITY)


@pytest.mark.parametrize("step", ["prepare_questions", "label_knowledge", "evaluate_stages"])
@pytest.mark.parametrize("damage", ["cut", "other type", "without", "gone"])
def test_rows_of_a_damaged_table_are_not_counted(
    whole: Results, tmp_path: Path, step: str, damage: str
):
    """Not of it, and not of what was made from it: that it is damaged is said once."""
    moved, name = tmp_path / "results", next(iter(whole.of_step(step)))
    shutil.copytree(whole.folder, moved)
    path = moved / name.removeprefix("results/")
    table = pq.read_table(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "gone":
        path.unlink()
    elif damage == "without":
        pq.write_table(table.drop_columns(["id"]), path)
    else:
        pq.write_table(table.set_column(0, table.column_names[0], [[None] * len(table)]), path)
    found = read_results(moved)
    kinds = {f.kind for f in run_checks(found, INTEGRITY) if f.where == name}
    assert kinds & {"broken table", "missing output"}
    assert rows_findings(found).items() <= rows_findings(whole).items()


def test_a_step_that_was_put_together_names_all_its_shards(results: Path):
    read = read_results(results)
    record = read.records[PROBED]
    count, own = COUNTS["probe_knowledge"], dict(record["inputs"])
    shards = [f"results/probe_shard/mini/numbers/{number}-of-3.json" for number in (1, 2, 3)]
    for several, said in (
        (shards, []),
        (shards[1:], ["1 of 3 shards, of which there are 3, are not in it, such as 1-of-3"]),
    ):
        record["inputs"] = own | dict.fromkeys(several, "0" * 64)
        assert list(count(read, record)) == said

"""A number is traced to its items, a sentence to its trees, tasks and scores."""

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.audit.synthetic import COUNT, GAIN, PROBED
from tuneatlas.audit import query
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.query import rows_of
from tuneatlas.audit.telling import tell
from tuneatlas.audit.trace import trace
from tuneatlas.cli import main
from tuneatlas.cli.trace import PLAIN
from tuneatlas.errors import UserError


def test_trace_of_a_number_lists_its_items(whole: Results, capsys):
    assert main(["trace", "--of", GAIN, "--results", str(whole.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    said, again = (float(line.split(": ")[1].split()[0]) for line in lines[:2])
    assert said == pytest.approx(again, abs=1e-5)
    listed = [line for line in lines if line.startswith("facts/")]
    assert any(line.startswith(f"{len(listed)} items") for line in lines)


@pytest.mark.parametrize("address", ["accuracy/mini/facts/homo", "acuracy/mini/x", ""])
def test_an_unknown_number_offers_those_like_it(whole: Results, address: str, capsys):
    assert main(["trace", "--of", address, "--results", str(whole.folder)]) == 2
    assert "no number of the report" in capsys.readouterr().err


def test_trace_wants_an_item_or_a_number(whole: Results, capsys):
    assert main(["trace", "--results", str(whole.folder)]) == 2
    assert main(["trace", "x", "--of", GAIN, "--results", str(whole.folder)]) == 2
    assert "either an ID or" in capsys.readouterr().err


def test_a_large_table_is_traced_by_row_groups(tmp_path: Path, whole: Results, monkeypatch):
    """The whole would not fit: what is held at once is a small part of it."""
    moved = tmp_path / "results"
    shutil.copytree(whole.folder, moved)
    path = moved / PROBED
    table = pq.read_table(path)
    with pq.ParquetWriter(path, table.schema) as writer:
        for number in range(40):
            ids = [f"{i}#{number}" for i in table.column("id").to_pylist()]
            prompts = ["x" * 20_000] * len(ids)
            part = table.set_column(0, table.schema.field("id"), [pa.array(ids)])
            place = table.schema.get_field_index("prompt")
            writer.write_table(part.set_column(place, table.schema.field("prompt"), [prompts]))
    results = read_results(moved)
    size = 40 * COUNT * 20_000
    limits = {"memory_limit": f"{size // 2}B", "max_temp_directory_size": "0B"}
    small = dict(query.SETTINGS) | limits
    monkeypatch.setattr(query, "_database", lambda: duckdb.connect(config=small))
    before = pa.default_memory_pool().max_memory()
    some = rows_of(whole, "results/prepare_questions/facts.parquet", "id")[7][0]
    life = trace(results, f"{some}#17")
    assert [seen.step for seen in life.rows["probe_knowledge"]] == ["probe_knowledge"]
    with pytest.raises(UserError, match="the nearest: "):
        trace(results, some[:-1] + "x")
    assert pa.default_memory_pool().max_memory() - before < size / 2


def test_a_sentence_is_traced_to_its_tasks_paraphrases_and_scores(whole: Results):
    """Its pairs and the examples made of it are named in ids of their own."""
    life = trace(whole, "s/1")
    ids = {step: [seen.row["id"] for seen in rows] for step, rows in life.rows.items()}
    assert ids == {
        "prepare_sentences": ["s/1-2", "s/1"],
        "parse_sentences": ["s/1"],
        "build_tasks": ["syntax/s/1#0", "syntax/s/1#7"],
        "evaluate_tasks": ["syntax/s/1#0"],
        "generate_paraphrases": ["s/1-2"],
        "score_paraphrases": ["s/1-2", "s/1-2"],
    }
    assert list(life.rows)[-2:] == ["generate_paraphrases", "score_paraphrases"]
    said = "\n".join(tell(life, lambda seen: None, PLAIN))
    for part in ("tree: (ROOT", "task: tree_forming", "output: Hot, the sun.", "bleu4 41.5"):
        assert part in said, said
    assert list(trace(whole, "s/2").rows) == [step for step in ids if "tasks" not in step]


def test_an_example_that_is_only_trained_on_is_traced_by_its_id(whole: Results):
    (seen,) = trace(whole, "syntax/s/1#7").rows["build_tasks"]
    assert seen.output.endswith("/train.parquet")
    with pytest.raises(UserError, match="the nearest: syntax/s/1#0"):
        trace(whole, "syntax/s/1#8")

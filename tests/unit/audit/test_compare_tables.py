"""Two tables beside each other: what is told of them, and that their rows are not held."""

import random
import tracemalloc
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneatlas.audit import query
from tuneatlas.audit.compare_runs import flips, table_changes
from tuneatlas.audit.compare_tables import Difference, difference
from tuneatlas.tables import DOCUMENTS, STAGE_ANSWERS, Row


def answers(count: int, seed: int) -> list[Row]:
    """Rows whose key has several columns and whose values have lists and floats."""
    rng = random.Random(seed)
    return [
        {
            "setting": "stages",
            "step": number % 7,
            "restored": number % 2,
            "id": f"q/{number}",
            "domain": "facts",
            "role": "home",
            "answer": 1,
            "scores": [rng.choice([0.1, 0.2, float("nan")]), 0.5],
            "pred": rng.randrange(2),
            "tied": 1,
            "correct": rng.random() < 0.5,
            "gold_prob": 0.25,
        }
        for number in range(count)
    ]


def beside(folder: Path, one: list[Row], other: list[Row]) -> Difference:
    for name, rows in (("a", one), ("b", other)):
        # As an older version wrote it: with scores that are no numbers.
        table = pa.Table.from_pylist(rows, schema=STAGE_ANSWERS.schema)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=50)
    found = difference(folder / "a.parquet", folder / "b.parquet", shown=1000)
    assert found is not None
    return found


def key_of(row: Row) -> str:
    return " ".join(str(row[name]) for name in STAGE_ANSWERS.key)


@pytest.mark.parametrize("seed", range(8))
def test_it_says_what_a_comparison_row_by_row_says(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    one, other = answers(300, 0), answers(300, rng.choice([0, 1]))
    one = rng.sample(one, rng.randrange(301))
    other = rng.sample(other, rng.randrange(301))
    found = beside(tmp_path, one, other)
    a, b = ({key_of(row): row for row in rows} for rows in (one, other))
    changed = [k for k in a if k in b and repr(a[k]) != repr(b[k])]
    for some, keys in (
        (found.changed, changed),
        (found.only_in_a, [k for k in a if k not in b]),
        (found.only_in_b, [k for k in b if k not in a]),
    ):
        assert (some.number, some.keys) == (len(keys), keys)
    assert found.columns == sorted(
        {c for k in changed for c in a[k] if repr(a[k][c]) != repr(b[k][c])}
    )
    wrong = [k for k in a if k in b and a[k]["correct"] and not b[k]["correct"]]
    said = [text for text in flips(found, "t") if "right, then wrong" in text]
    assert said == (
        [f"t: {len(wrong)} right, then wrong: {', '.join(wrong[:8])}{' …' * (len(wrong) > 8)}"]
        if wrong
        else []
    )


def test_rows_in_another_order_are_the_same_rows(tmp_path: Path):
    rows = answers(200, 0)
    found = beside(tmp_path, rows, rows[::-1])
    assert table_changes(found, "t") == "t: 200 and 200 rows"


def test_a_column_of_one_side_alone_is_named(tmp_path: Path):
    rows = answers(3, 0)
    beside(tmp_path, rows, rows)
    table = pq.read_table(tmp_path / "b.parquet")
    pq.write_table(table.drop_columns(["gold_prob"]), tmp_path / "b.parquet")
    found = difference(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert found is not None
    assert table_changes(found, "t").endswith("3 changed, such as stages 0 0 q/0; in gold_prob")


def test_only_two_tables_of_one_known_kind_are_compared(tmp_path: Path):
    rows = answers(3, 0)
    beside(tmp_path, rows, rows)
    DOCUMENTS.write(tmp_path / "c.parquet", [])
    (tmp_path / "d.txt").touch()
    for other in ("c.parquet", "d.txt", "none.parquet"):
        assert difference(tmp_path / "a.parquet", tmp_path / other) is None
        assert difference(tmp_path / other, tmp_path / "a.parquet") is None


def test_the_rows_are_not_held(tmp_path: Path, monkeypatch):
    count, length = 40_000, 1_000
    for name in "ab":
        rows = (
            {
                "id": f"d/{number}",
                "split": "pretrain",
                "kind": "prose",
                "text": f"{number:{length}}" if number % 100 else name,
                "questions": [],
                "source": "",
                "licence": "",
            }
            for number in range(count)
        )
        DOCUMENTS.write_stream(tmp_path / f"{name}.parquet", rows)
    # With no room for both tables, and none on the disk to move them to.
    limits = {"memory_limit": f"{count * length}B", "max_temp_directory_size": "0B"}
    small = dict(query.SETTINGS) | limits
    monkeypatch.setattr(query, "_database", lambda: duckdb.connect(config=small))
    tracemalloc.start()
    found = difference(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert found is not None
    assert "400 changed, such as d/0; in text" in table_changes(found, "t")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < count * length / 2


def test_zeros_of_two_signs_differ_as_their_bytes_do(tmp_path: Path):
    rows = answers(3, 0)
    found = beside(
        tmp_path, [r | {"gold_prob": 0.0} for r in rows], [r | {"gold_prob": -0.0} for r in rows]
    )
    assert (found.changed.number, found.columns) == (3, ["gold_prob"])


def test_rows_of_one_key_stand_beside_each_other_in_order(tmp_path: Path):
    """As a damaged table has them: many are not a pair of each with each."""
    rows = [answers(1, 0)[0] | {"pred": number % 2} for number in range(3000)]
    found = beside(tmp_path, rows, [*rows[:-2], rows[-1]])
    assert (found.changed.number, found.only_in_a.number, found.only_in_b.number) == (1, 1, 0)


def test_a_damaged_table_is_told_and_the_others_are_compared(tmp_path: Path):
    rows = answers(200, 0)
    beside(tmp_path, rows, rows)
    path = tmp_path / "b.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(query.UnreadableTableError, match=r"b\.parquet"):
        difference(tmp_path / "a.parquet", path)

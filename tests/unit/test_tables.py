"""Tables: checked on writing, the same bytes for the same rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.examples import question
from tuneatlas.audit.columns import TEXT_KINDS
from tuneatlas.errors import UserError
from tuneatlas.models.scoring import answer_row
from tuneatlas.tables import (
    ANSWERS,
    DOCUMENTS,
    LABELS,
    MENTIONS,
    QUESTIONS,
    STAGE_TEXTS,
)


def test_rows_read_back_and_bytes_depend_on_rows_alone(tmp_path: Path):
    rows = [question(n) for n in range(5)]
    QUESTIONS.write(tmp_path / "a.parquet", rows)
    QUESTIONS.write(tmp_path / "b.parquet", rows)
    assert QUESTIONS.read(tmp_path / "a.parquet") == rows
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    described = pq.read_schema(tmp_path / "a.parquet").field("answer").metadata
    assert described[b"unit"] == b"index from 0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "trian"}, r"row 1, column 'split': 'trian' is not one of"),
        ({"question": None}, r"column 'question' has 1 nulls"),
        ({"id": "numbers/next/0"}, r"occurs more than once"),
        ({"extra": 1}, r"row 1: columns differ: \['extra'\]"),
    ],
)
def test_a_wrong_row_is_named(change, message, tmp_path: Path):
    path = tmp_path / "q.parquet"
    with pytest.raises(UserError, match=message):
        QUESTIONS.write(path, [question(0), question(1, **change)])
    assert not path.exists()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("column", ["scores", "gold_prob"])
def test_a_number_that_is_none_is_neither_written_nor_read(column, number, tmp_path: Path):
    path = tmp_path / "a.parquet"
    row = answer_row(question(0), np.zeros(4) + np.arange(4), "prompt")
    ANSWERS.write(path, [row])
    row[column] = [number] * 4 if column == "scores" else number
    with pytest.raises(UserError, match=rf"column '{column}' has values that are not numbers"):
        ANSWERS.write(path, [row])
    pq.write_table(pa.Table.from_pylist([row], schema=ANSWERS.schema), path)
    for read in (ANSWERS.read, lambda p: list(ANSWERS.stream(p))):
        with pytest.raises(UserError, match=rf"a.parquet: column '{column}' has values that are"):
            read(path)


def test_some_columns_are_read(tmp_path: Path):
    path = tmp_path / "q.parquet"
    rows = [question(n) for n in range(3)]
    QUESTIONS.write(path, rows)
    chosen = [{"id": row["id"], "answer": row["answer"]} for row in rows]
    assert QUESTIONS.read(path, ("answer", "id")) == chosen
    assert list(QUESTIONS.stream(path, 1, columns=("id", "answer"))) == chosen[1:]
    assert QUESTIONS.read(path, ("answer",)) == [{"answer": row["answer"]} for row in rows]
    with pytest.raises(UserError, match=r"q.parquet: not a 'labels' table"):
        LABELS.read(path, ("id",))


def test_a_foreign_or_torn_file_is_named(tmp_path: Path):
    path = tmp_path / "m.parquet"
    MENTIONS.write(path, [{"id": "a", "mentions": 3}])
    with pytest.raises(UserError, match=r"m.parquet: not a 'labels' table"):
        LABELS.read(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"m.parquet: not a readable parquet file"):
        MENTIONS.read(path)
    pq.write_table(pa.table({"id": ["a", "a"], "mentions": [1, 2]}), path)
    with pytest.raises(UserError, match="m.parquet"):
        MENTIONS.read(path)


def test_every_kind_of_document_can_be_measured_and_counted():
    (measured,) = [column.allowed for column in STAGE_TEXTS.columns if column.name == "kind"]
    (written,) = [column.allowed for column in DOCUMENTS.columns if column.name == "kind"]
    assert set(written) < set(measured)
    assert {(kind,) for kind in measured} < set(TEXT_KINDS.values())

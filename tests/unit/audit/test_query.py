"""Tables asked in SQL: wherever they lie, whatever is wrong with them, and with little memory."""

import os
import random
import signal
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneatlas.audit import query
from tuneatlas.audit.query import (
    UnreadableTableError,
    batches,
    columns_of,
    declared,
    listed,
    reading,
    stream,
)
from tuneatlas.tables import MENTIONS

ROWS = [{"id": f"q/{n}", "mentions": n} for n in range(300)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    MENTIONS.write(tmp_path / "mentions.parquet", ROWS)
    return tmp_path / "mentions.parquet"


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'a"b', "[x]", "a*b?", "id=3", "seed=0", "~root", "é\n", "{a,b}", "a:b"]
)
def test_a_table_is_read_wherever_it_lies(tmp_path: Path, name: str, monkeypatch):
    # What the name would stand for as a pattern lies there, too.
    for folder in (name, "x", "ab", "axbx"):
        (tmp_path / folder).mkdir(exist_ok=True)
        MENTIONS.write(tmp_path / folder / "t.parquet", ROWS[: 3 if folder == name else 1])
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name / "t.parquet", Path(name) / "t.parquet"):
        assert list(stream(path, "*")) == [(f"q/{n}", n) for n in range(3)]
        assert columns_of(path) == ["id", "mentions"]


def test_rows_come_in_the_order_of_the_table(tmp_path: Path):
    rows = [{"id": f"q/{n}", "mentions": n} for n in range(20_000)]
    rng = random.Random(0)
    rng.shuffle(rows)
    pq.write_table(MENTIONS.build(rows), tmp_path / "t.parquet", row_group_size=700)
    wanted = [(row["id"],) for row in rows if row["mentions"] % 3 == 0]
    assert list(stream(tmp_path / "t.parquet", "id", "mentions % ? = 0", [3])) == wanted
    assert [row for part in batches(tmp_path / "t.parquet") for row in part.to_pylist()] == rows


def test_a_table_that_was_written_anew_is_read_anew(path: Path):
    for count in (300, 1, 200):
        MENTIONS.write(path, ROWS[:count])
        os.utime(path, (0, 0))
        assert len(list(stream(path, "id"))) == count


def test_damage_of_any_kind_is_told_in_one_line(path: Path):
    whole = path.read_bytes()
    for number in range(90):
        rng = random.Random(number)
        data = bytearray(whole)
        if number % 3 == 0:
            data = data[: rng.randrange(len(data))]
        for _ in range(rng.randrange(1, 4) if data else 0):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        for ask in (lambda: list(stream(path, "*")), lambda: list(batches(path))):
            try:
                ask()
            except UnreadableTableError as error:
                text = str(error)
                assert text.startswith(f"{path}: ") and "run tuneatlas audit" in text
                assert "\n" not in text


@pytest.mark.parametrize("make", [lambda p: None, os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, make):
    make(tmp_path / "t.parquet")
    for ask in (stream, lambda p, _: batches(p), lambda p, _: [columns_of(p)]):
        with pytest.raises(UnreadableTableError, match=r"t\.parquet"):
            list(ask(tmp_path / "t.parquet", "*"))


def test_a_column_of_an_older_version_is_missed(path: Path):
    with pytest.raises(UnreadableTableError, match="weight"):
        list(stream(path, "weight"))
    assert declared(path, ["id", "mentions"]) and not declared(path, ["id", "weight"])
    table = pq.read_table(path)
    text = table.column("mentions").cast(pa.string())
    pq.write_table(table.set_column(1, "mentions", text), path)
    assert declared(path, ["id"]) and not declared(path, ["mentions"])


def test_a_name_is_never_taken_for_more_than_a_name(tmp_path: Path):
    name = 'id" FROM range(3) --'
    pq.write_table(pa.table({name: [1]}), tmp_path / "t.parquet")
    assert list(stream(tmp_path / "t.parquet", listed([name]))) == [(1,)]


def test_who_stops_a_long_question_stops_the_command(path: Path):
    # Test processes beside one another ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, os.kill, (os.getpid(), 2)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(stream(path, "count(*)", "(SELECT sum(sqrt(range)) FROM range(10000000000)) > 0"))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_machine_without_memory_is_no_fault_of_a_table(path: Path, monkeypatch):
    limits = {"memory_limit": "1MB", "max_temp_directory_size": "0B"}
    small = dict(query.SETTINGS) | limits
    monkeypatch.setattr(query, "_database", lambda: duckdb.connect(config=small))
    with pytest.raises(duckdb.OutOfMemoryException), reading(path) as cursor:
        cursor.execute("CREATE TEMP TABLE x AS SELECT range, repeat('x', 999) FROM range(99999)")

"""Ways to corrupt a results folder: each returns the names of files of which one must be named."""

import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from tuneatlas.engine.files import FOLDER_MARK
from tuneatlas.engine.records import SUFFIX, output_path


def put(path: Path, data: bytes) -> None:
    """Write a file of its own, as the copy may be made of hard links (bench/corruptions.py)."""
    path.unlink()
    path.write_bytes(data)


def put_table(path: Path, table) -> None:
    path.unlink()
    pq.write_table(table, path, compression="zstd")


# A corruption changes the folder and returns the names of files of which one must be named.
def flip(results: Path, rng: random.Random) -> list[str]:
    path = rng.choice(_files(results))
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    put(path, data)
    return [_output_of(results, path)]


def truncate(results: Path, rng: random.Random) -> list[str]:
    path = rng.choice(_files(results))
    data = path.read_bytes()
    put(path, data[: rng.randrange(len(data))])
    return [_output_of(results, path)]


def swap(results: Path, rng: random.Random) -> list[str]:
    files = _files(results)
    while True:
        one, other = rng.sample(files, 2)
        a, b = one.read_bytes(), other.read_bytes()
        if a != b:
            break
    put(one, b)
    put(other, a)
    return [_output_of(results, one), _output_of(results, other)]


def edit_cell(results: Path, rng: random.Random) -> list[str]:
    path = rng.choice([p for p in _files(results) if p.suffix == ".parquet"])
    table = pq.read_table(path)
    rows = table.to_pylist()
    row = rng.choice(rows)
    name = rng.choice([n for n, v in row.items() if isinstance(v, str | int | float)])
    value = row[name]
    row[name] = value + "x" if isinstance(value, str) else not value if value in (0, 1) else 0
    row[name] = type(value)(row[name])
    put_table(path, type(table).from_pylist(rows, schema=table.schema))
    return [_output_of(results, path)]


def drop_row(results: Path, rng: random.Random) -> list[str]:
    path = rng.choice([p for p in _files(results) if p.suffix == ".parquet"])
    put_table(path, pq.read_table(path).slice(1))
    return [_output_of(results, path)]


def delete_record(results: Path, rng: random.Random) -> list[str]:
    path = rng.choice(sorted(results.rglob("*" + SUFFIX)))
    path.unlink()
    return [_name(results, output_path(path))]


def delete_output(results: Path, rng: random.Random) -> list[str]:
    path = output_path(rng.choice(sorted(results.rglob("*" + SUFFIX))))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return [_name(results, path)]


def add_foreign(results: Path, rng: random.Random) -> list[str]:
    folder = rng.choice(sorted(p for p in results.rglob("*") if p.is_dir()))
    (folder / "notes.txt").write_text("foreign")
    return [_output_of(results, folder / "notes.txt")]


def swap_records(results: Path, rng: random.Random) -> list[str]:
    one, other = rng.sample(sorted(results.rglob("*" + SUFFIX)), 2)
    a, b = one.read_bytes(), other.read_bytes()
    put(one, b)
    put(other, a)
    return [_name(results, output_path(one)), _name(results, output_path(other))]


CORRUPTIONS = (
    flip,
    truncate,
    swap,
    edit_cell,
    drop_row,
    delete_record,
    delete_output,
    add_foreign,
    swap_records,
)


def _files(results: Path) -> list[Path]:
    found = sorted(p for p in results.rglob("*") if p.is_file() and p.name != FOLDER_MARK)
    return [p for p in found if p.stat().st_size]


def _name(results: Path, path: Path) -> str:
    return "results/" + path.relative_to(results).as_posix()


def _output_of(results: Path, path: Path) -> str:
    """The output that a file is, is in, or is the record of."""
    if path.name.endswith(SUFFIX):
        return _name(results, output_path(path))
    for part in (path, *path.parents[:-1]):
        if part.with_name(part.name + SUFFIX).is_file():
            return _name(results, part)
    return _name(results, path)

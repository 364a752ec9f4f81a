"""Two tables of one kind, row beside row, without holding their rows.

Of each row a digest of its key is held, and of one column at a time a hash of its value: less than
a hundred bytes a row, whatever the rows hold.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneatlas.audit.checks import TABLES
from tuneatlas.audit.trace import BATCH, open_table
from tuneatlas.tables import table_name

Numbers = npt.NDArray[np.int64]
Digests = npt.NDArray[np.uint64]


def _hash(value: Any) -> int:
    """Equal for equal values within this process; a NaN is equal to a NaN."""
    return hash(repr(value))


@dataclass(frozen=True)
class Side:
    """One of the two tables; ``key`` columns together identify a row."""

    path: Path
    key: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.digests)

    def _keys(self) -> Iterator[list[tuple[Any, ...]]]:
        for batch in open_table(self.path).iter_batches(BATCH, columns=list(self.key)):
            columns = (batch.column(name).to_pylist() for name in self.key)
            yield list(zip(*columns, strict=True))

    @cached_property
    def digests(self) -> Digests:
        """Two numbers for each row's key, in the order of the table."""
        found = bytearray()
        for keys in self._keys():
            for key in keys:
                found += blake2b(repr(key).encode(), digest_size=16).digest()
        return np.frombuffer(found, np.uint64).reshape(-1, 2)

    def keys_of(self, rows: Numbers) -> list[str]:
        """What identifies the rows with these numbers, in words; the numbers ascend."""
        found: list[str] = []
        start = 0
        for keys in self._keys():
            inside = rows[(start <= rows) & (rows < start + len(keys))] - start
            found += [" ".join(map(str, keys[n])) for n in inside]
            start += len(keys)
            if len(found) == len(rows):
                break
        return found

    def values(self, column: str, of: Callable[[Any], Any], kind: type) -> npt.NDArray[Any]:
        """``of`` each value of a column, in the order of the table."""
        parts: list[npt.NDArray[Any]] = [
            np.fromiter(map(of, batch.column(0).to_pylist()), kind, len(batch))
            for batch in open_table(self.path).iter_batches(BATCH, columns=[column])
        ]
        return np.concatenate(parts) if parts else np.empty(0, kind)


@dataclass(frozen=True)
class Aligned:
    """Two tables, and the numbers of the rows that both hold: in A, and of the same keys in B.

    ``columns`` are those of both sides beside the key, ``lone`` those of one side.
    """

    a: Side
    b: Side
    in_a: Numbers
    in_b: Numbers
    columns: tuple[str, ...]
    lone: tuple[str, ...]

    @property
    def only_in_a(self) -> Numbers:
        """Numbers of the rows of A whose key B lacks."""
        return _others(len(self.a), self.in_a)

    @property
    def only_in_b(self) -> Numbers:
        """Numbers of the rows of B whose key A lacks."""
        return _others(len(self.b), self.in_b)

    def values(
        self, column: str, of: Callable[[Any], Any] = _hash, kind: type = np.int64
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """``of`` each value of a column on both sides, row beside row."""
        before = self.a.values(column, of, kind)[self.in_a]
        return before, self.b.values(column, of, kind)[self.in_b]

    def changed(self) -> tuple[Numbers, list[str]]:
        """Numbers in A of the rows that B holds otherwise, and the columns that differ in them."""
        rows = np.full(len(self.in_a), bool(self.lone))
        names = list(self.lone)
        for column in self.columns:
            before, after = self.values(column)
            differs = before != after
            if differs.any():
                names.append(column)
                rows |= differs
        return self.in_a[rows], sorted(names)


def align(one: Path, other: Path) -> Aligned | None:
    """Put two tables beside each other; None if they are not two of one known kind.

    Raises:
        OSError, pa.ArrowException: one cannot be read.
    """
    if not all(path.suffix == ".parquet" and path.is_file() for path in (one, other)):
        return None
    schemas = [open_table(path).schema_arrow for path in (one, other)]
    kinds = {table_name(schema) for schema in schemas}
    before, after = (list(schema.names) for schema in schemas)
    table = TABLES.get(kinds.pop())
    if kinds or table is None or not {*before} & {*after} >= {*table.key}:
        return None
    a, b = Side(one, table.key), Side(other, table.key)
    in_a, in_b = _matches(a.digests, b.digests)
    both = tuple(name for name in before if name in after and name not in table.key)
    lone = tuple({*before} ^ {*after})
    return Aligned(a, b, in_a, in_b, both, lone)


def _matches(one: Digests, other: Digests) -> tuple[Numbers, Numbers]:
    """Where the same digests stand in both, in the order of ``one``."""
    if not len(other):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # Numbers sort several times as fast as bytes; that two keys agree in half is one in 10,000
    # tables of 60 million rows.
    order = np.argsort(other[:, 0])
    place = np.searchsorted(other[:, 0], one[:, 0], sorter=order)
    near = order.take(place, mode="clip")
    same = (other[near] == one).all(axis=1)
    return np.flatnonzero(same), near[same]


def _others(count: int, rows: Numbers) -> Numbers:
    mask = np.ones(count, bool)
    mask[rows] = False
    return np.flatnonzero(mask)

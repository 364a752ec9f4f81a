"""Data cards: what each table is, how much it holds, how its values spread, what was set aside."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuneatlas.audit.counts import set_aside
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.query import TABLES, batches, columns_of, stream
from tuneatlas.tables import Column, schema_of, table_name

BINS = 12
SAMPLES = 3
# Values told apart before a column is only described by its lengths.
DISTINCT = 40
LONGEST = 600


@dataclass
class Spread:
    """How the values of a column spread; fed batch by batch."""

    column: Column
    limits: tuple[float, float] | None = None
    nulls: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    many: bool = False
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    total: float = 0.0
    size: int = 0

    def add(self, values: Any) -> None:
        """Count an Arrow array in."""
        self.nulls += values.null_count
        values = values.drop_null()
        self.size += len(values)
        if self.limits:
            numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
            self.total += float(numbers.sum())
            self.bins = (np.histogram(numbers, BINS, self.limits)[0] + self.bins).tolist()
        elif not self.many and not pa.types.is_list(self.column.type):
            for entry in pc.value_counts(values).to_pylist():
                self.counts[str(entry["values"])] += entry["counts"]
            self.many = len(self.counts) > DISTINCT

    def card(self) -> dict[str, Any]:
        """As the page shows it."""
        found: dict[str, Any] = {
            "name": self.column.name,
            "type": str(self.column.type),
            "unit": self.column.unit,
            "allowed": list(self.column.allowed),
            "description": self.column.description,
            "nulls": self.nulls,
        }
        if self.limits and self.size:
            mean = self.total / self.size
            found |= {"low": self.limits[0], "high": self.limits[1], "mean": mean}
            found["bins"] = self.bins
        elif self.counts and not self.many:
            found["counts"] = self.counts.most_common(12)
        return found


def cards(results: Results) -> Iterator[dict[str, Any]]:
    """One card per step and kind of table, over all outputs of the step."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, record in results.records.items():
        path = results.place(name)
        inner = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        for found in inner:
            if found.suffix == ".parquet" and found.is_file():
                groups.setdefault((record["step"], _table(found)), []).append(results.name(found))
    for (step, table), names in groups.items():
        if table in TABLES:
            yield _card(results, step, table, names)


def _table(path: Any) -> str:
    try:
        return table_name(schema_of(path))
    except (OSError, pa.ArrowException):
        return ""


def _card(results: Results, step: str, table: str, names: list[str]) -> dict[str, Any]:
    # A table of an older version may lack columns; the audit says so, the card shows the others.
    paths = [results.place(name) for name in names]
    there = set.intersection(*(set(columns_of(path)) for path in paths))
    columns = [c for c in TABLES[table].columns if c.name in there]
    spreads = [Spread(c, _limits(paths, c)) for c in columns]
    rows, samples = 0, list[dict[str, Any]]()
    for path in paths:
        for batch in batches(path):
            rows += batch.num_rows
            if len(samples) < SAMPLES:
                samples += batch.slice(0, SAMPLES - len(samples)).to_pylist()
            for spread in spreads:
                spread.add(batch.column(spread.column.name))
    return {
        "step": step,
        "table": table,
        "key": list(TABLES[table].key),
        "outputs": names,
        "rows": rows,
        "columns": [spread.card() for spread in spreads],
        "samples": [{k: _cut(v) for k, v in row.items()} for row in samples],
        "aside": list(set_aside(results, step, table, names)),
    }


def _limits(paths: list[Path], column: Column) -> tuple[float, float] | None:
    """Least and greatest value of a column of numbers."""
    kind = column.type
    if column.allowed or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    asked = f'min("{column.name}"), max("{column.name}")'
    found = [pair for path in paths for pair in stream(path, asked) if None not in pair]
    ends = [end for pair in found for end in pair]
    if not ends or not np.isfinite(ends).all():
        return None
    return float(min(ends)), float(max(ends))


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"

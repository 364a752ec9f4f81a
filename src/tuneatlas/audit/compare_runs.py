"""What differs between two results folders: settings, code, data, metrics, items."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuneatlas.audit.checks import TABLES
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.plan import differences
from tuneatlas.sections import section_of
from tuneatlas.tables import Row

SHOWN = 8
# Steps whose tables say of each item whether a model was right.
JUDGED = ("probe_knowledge", "evaluate_knowledge", "evaluate_base", "evaluate_stages")
# What identifies a row of metrics beside its texts.
WHICH = ("seed", "step", "restored", "share", "headline")


def compare_runs(a: Results, b: Results) -> Iterator[tuple[str, list[str]]]:
    """Headings with what differs below each; an empty list says that nothing does."""
    shared = [name for name in a.records if name in b.records]
    changed = [n for n in shared if a.records[n]["sha256"] != b.records[n]["sha256"]]
    yield "outputs", list(outputs(a, b, shared, changed))
    yield "config", list(settings(a, b, shared))
    yield "code", list(code(a, b, shared))
    yield "data", [line for name in changed for line in table_changes(a, b, name)]
    yield "metrics", [line for name in changed for line in metric_changes(a, b, name)]
    yield "items that changed state", [line for name in changed for line in flips(a, b, name)]


def outputs(a: Results, b: Results, shared: list[str], changed: list[str]) -> Iterator[str]:
    """How many outputs are the same, and which stand on one side only."""
    for side, one, other in (("A", a, b), ("B", b, a)):
        only = [name for name in one.records if name not in other.records]
        if only:
            yield f"only in {side}: {len(only)}: {_some(only)}"
    if changed:
        yield f"of {len(shared)} on both sides, {len(changed)} differ: {_some(changed)}"


def settings(a: Results, b: Results, shared: list[str]) -> Iterator[str]:
    """Config keys with their values on both sides."""
    found: dict[str, None] = {}
    for name in shared:
        one, other = a.records[name], b.records[name]
        if one["step"] == "report":
            continue  # it holds the whole config, whose parts stand with the other steps
        section = section_of(one["step"], one["wildcards"])
        pairs = [(one["options"], other["options"], section)]
        params = (one.get("params", {}), other.get("params", {}))
        if all(params):
            seeds = [{"seed": p.get("seed")} for p in params]
            rest = [{k: v for k, v in p.items() if k != "seed"} for p in params]
            pairs += [(seeds[0], seeds[1], ""), (rest[0], rest[1], f"{one['step']}: ")]
        for old, new, prefix in pairs:
            found |= dict.fromkeys(str(change) for change in differences(old, new, prefix))
    yield from found


def code(a: Results, b: Results, shared: list[str]) -> Iterator[str]:
    """Modules and libraries that differ, and in how many outputs."""
    found: dict[str, int] = defaultdict(int)
    for name in shared:
        for kind, key in (("module", "code"), ("library", "libraries")):
            for change in differences(a.records[name][key], b.records[name][key], ""):
                values = f" {change.old} and {change.new}" if kind == "library" else ""
                found[f"{kind} {change.key}{values}"] += 1
    yield from (f"{text}: in {number} outputs" for text, number in sorted(found.items()))


def table_changes(a: Results, b: Results, name: str) -> Iterator[str]:
    """Rows of a table on both sides: how many, and which were changed."""
    one, other = rows_by_key(a, name), rows_by_key(b, name)
    if one is None or other is None:
        return
    added = [k for k in other if k not in one]
    gone = [k for k in one if k not in other]
    changed = [k for k in one if k in other and one[k] != other[k]]
    parts = [f"{len(one)} and {len(other)} rows"]
    for what, keys in (("only in A", gone), ("only in B", added), ("changed", changed)):
        if keys:
            parts.append(f"{len(keys)} {what}, such as {_key(keys[0])}")
    columns = sorted({c for k in changed for c in one[k] if one[k][c] != other[k].get(c)})
    if columns:
        parts.append(f"in {', '.join(columns)}")
    yield f"{name}: {'; '.join(parts)}"


def rows_by_key(results: Results, name: str) -> dict[tuple[Any, ...], Row] | None:
    """Rows of a table by what identifies them; None if ``name`` is no known table."""
    path = results.place(name)
    if path.suffix != ".parquet" or not path.is_file():
        return None
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    named = (table.schema.metadata or {}).get(b"table", b"").decode(errors="replace")
    if named not in TABLES:
        return None
    return {tuple(row[k] for k in TABLES[named].key): row for row in table.to_pylist()}


def metric_changes(a: Results, b: Results, name: str) -> Iterator[str]:
    """Numbers of a metrics file that differ, with their intervals."""
    one, other = (_metrics(results, name) for results in (a, b))
    for key in [k for k in one if k in other and one[k] != other[k]]:
        moved = "" if _inside(one[key], other[key]) else "  (outside A's interval)"
        yield f"{name}: {key}: {_interval(one[key])} and {_interval(other[key])}{moved}"


Measured = tuple[float | None, float | None, float | None]


def _metrics(results: Results, name: str) -> dict[str, Measured]:
    path = results.place(name) / "metrics.json"
    if not path.is_file():
        return {}
    found: dict[str, Measured] = {}
    for part, rows in json.loads(path.read_text(encoding="utf-8")).items():
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, Mapping):
                which = [f"{v}" for k, v in row.items() if isinstance(v, str) and k != "verdict"]
                which += [f"{k} {row[k]}" for k in WHICH if row.get(k) is not None]
                for key, measured in _measured(row):
                    found[" ".join([part, key, *which])] = measured
    return found


def _measured(row: Mapping[str, Any]) -> Iterator[tuple[str, Measured]]:
    for key, value in row.items():
        low, high = ("low", "high") if key == "value" else (f"{key}_low", f"{key}_high")
        if low in row and high in row:
            yield key, (value, row[low], row[high])


def _interval(measured: Measured) -> str:
    value, low, high = ("-" if x is None else f"{x:.3g}" for x in measured)
    return f"{value} [{low}, {high}]"


def _inside(one: Measured, other: Measured) -> bool:
    value, low, high = other[0], one[1], one[2]
    return value is None or low is None or high is None or low <= value <= high


def flips(a: Results, b: Results, name: str) -> Iterator[str]:
    """Items that a model answered rightly on one side and wrongly on the other."""
    if a.records[name]["step"] not in JUDGED:
        return
    one, other = rows_by_key(a, name) or {}, rows_by_key(b, name) or {}
    for what, before in (("right, then wrong", True), ("wrong, then right", False)):
        keys = [
            k
            for k, row in one.items()
            if k in other and row.get("correct") is before and other[k].get("correct") is not before
        ]
        if keys:
            yield f"{name}: {len(keys)} {what}: {_some([_key(k) for k in keys])}"


def _key(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")

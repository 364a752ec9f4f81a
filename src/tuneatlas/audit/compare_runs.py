"""What differs between two results folders: settings, code, data, metrics, items."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.compare_tables import SHOWN, Difference, difference
from tuneatlas.audit.lineage import METRICS, Results, read_metrics
from tuneatlas.audit.query import UnreadableTableError
from tuneatlas.engine.jobs import code_changes, code_in, differences
from tuneatlas.engine.operations import joined, section_of
from tuneatlas.errors import UserError

# Steps whose tables say of each item whether a model was right.
JUDGED = (
    *("probe_knowledge", "evaluate_knowledge", "evaluate_base", "evaluate_stages"),
    *("probe_checkpoint", "evaluate_checkpoint", "measure_checkpoint"),
    *("interpolate_weights", "measure_distance", "relearn_facts", "ask_battery"),
)
# What identifies a row of metrics beside its texts.
WHICH = ("seed", "step", "restored", "share", "headline")


def compare_runs(a: Results, b: Results) -> Iterator[tuple[str, list[str]]]:
    """Headings with what differs below each; an empty list says that nothing does."""
    shared = [name for name in a.records if name in b.records]
    changed = [n for n in shared if a.records[n]["sha256"] != b.records[n]["sha256"]]
    yield "outputs", list(outputs(a, b, shared, changed))
    yield "config", list(settings(a, b, shared))
    yield "code", list(code(a, b, shared))
    in_tables = [table_differences(a, b, name) for name in changed]
    yield "data", [line for lines, _ in in_tables for line in lines]
    yield "metrics", [line for name in changed for line in metric_changes(a, b, name)]
    yield "items that changed state", [line for _, lines in in_tables for line in lines]


def outputs(a: Results, b: Results, shared: list[str], changed: list[str]) -> Iterator[str]:
    """How many outputs are the same, and which stand on one side only."""
    for side, one, other in (("A", a, b), ("B", b, a)):
        only = [name for name in one.records if name not in other.records]
        if only:
            yield f"only in {side}: {len(only)}: {_some(only, len(only))}"
    if changed:
        some = _some(changed, len(changed))
        yield f"of {len(shared)} on both sides, {len(changed)} differ: {some}"


def settings(a: Results, b: Results, shared: list[str]) -> Iterator[str]:
    """Config keys with their values on both sides."""
    found: dict[str, None] = {}
    for name in shared:
        one, other = a.records[name], b.records[name]
        if one["step"] == "report":
            continue  # it holds the whole config, whose parts stand with the other steps
        section = section_of(one["step"], one["wildcards"])
        # Older records have operational keys among the options.
        whole = [joined(r["options"], r.get("operations", {})) for r in (one, other)]
        pairs = [(whole[0], whole[1], section)]
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
    found: Counter[tuple[str, str]] = Counter()
    for name in shared:
        found.update(code_changes(code_in(a.records[name]), code_in(b.records[name])))
    for (kind, change), number in sorted(found.items()):
        yield f"{kind} {change}: in {number} outputs"


def table_differences(a: Results, b: Results, name: str) -> tuple[list[str], list[str]]:
    """What differs in a table, and which items changed state in it."""
    try:
        found = difference(a.place(name), b.place(name))
    except UnreadableTableError:
        return [f"{name}: cannot be read on one side; run tuneatlas audit there"], []
    if found is None:
        return [], []
    judged = a.records[name]["step"] in JUDGED
    return [table_changes(found, name)], list(flips(found, name)) if judged else []


def table_changes(found: Difference, name: str) -> str:
    """Rows of a table on both sides: how many, and which were changed."""
    parts = ["{} and {} rows".format(*found.rows)]
    for what, rows in (
        ("only in A", found.only_in_a),
        ("only in B", found.only_in_b),
        ("changed", found.changed),
    ):
        if rows.number:
            parts.append(f"{rows.number} {what}, such as {rows.keys[0]}")
    if found.columns:
        parts.append(f"in {', '.join(found.columns)}")
    return f"{name}: {'; '.join(parts)}"


def flips(found: Difference, name: str) -> Iterator[str]:
    """Items that a model answered rightly on one side and wrongly on the other."""
    for what, rows in (("right, then wrong", found.lost), ("wrong, then right", found.won)):
        if rows.number:
            yield f"{name}: {rows.number} {what}: {_some(rows.keys, rows.number)}"


def metric_changes(a: Results, b: Results, name: str) -> Iterator[str]:
    """Numbers of a metrics file that differ, with their intervals."""
    try:
        one, other = (_metrics(results, name) for results in (a, b))
    except UserError as error:
        yield str(error)
        return
    for key in [k for k in one if k in other and one[k] != other[k]]:
        moved = "" if _inside(one[key], other[key]) else "  (outside A's interval)"
        yield f"{name}: {key}: {_interval(one[key])} and {_interval(other[key])}{moved}"


Measured = tuple[float | None, float | None, float | None]


def _metrics(results: Results, name: str) -> dict[str, Measured]:
    if not os.path.lexists(results.place(name) / METRICS):
        return {}
    found: dict[str, Measured] = {}
    for part, rows in read_metrics(results, name).items():
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


def _some(names: list[str], number: int) -> str:
    """The first of ``number`` names."""
    return ", ".join(names[:SHOWN]) + (" …" if number > SHOWN else "")

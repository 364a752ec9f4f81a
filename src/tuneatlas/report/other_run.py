"""Another run of the same models beside this one: its accuracies and claims, row by row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.studies.knowledge.paired_answers import MEASURES
from tuneatlas.tables import Row


@dataclass(frozen=True)
class OtherRun:
    """The same numbers in two runs; a value of one that the other has not is None."""

    folder: str
    groups: list[Row]
    claims: list[Row]


def read_metrics(path: Path) -> tuple[str, dict[str, Any]]:
    """Folder and metrics of another run's comparison; UserError if they are none."""
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"report.beside: {path} cannot be read: {error}") from None
    if missing := {"accuracy", "claims"} - metrics.keys():
        raise UserError(f"report.beside: {path} has no {min(missing)}: it is no comparison")
    return str(path.parent), metrics


def beside(metrics: Mapping[str, Any], folder: str, other: Mapping[str, Any]) -> OtherRun:
    """The accuracies, agreements and claims of two comparisons, those of this run in front."""
    groups = _joined(
        [row for row in metrics["accuracy"] if row["seed"] == "all"],
        [row for row in other["accuracy"] if row["seed"] == "all"],
        ("domain", "scope", "group"),
        (*MEASURES, "accuracy_low", "accuracy_high"),
    )
    keys = ("claim", "domain", "scope")
    claims = _joined(
        metrics["claims"], other["claims"], keys, ("value", "low", "high", "verdict", "p")
    )
    return OtherRun(folder, groups, claims)


def _joined(
    ours: Sequence[Row], theirs: Sequence[Row], keys: Sequence[str], values: Sequence[str]
) -> list[Row]:
    found = {tuple(row[key] for key in keys): row for row in theirs}
    rows = []
    for row in ours:
        other = found.get(tuple(row[key] for key in keys), {})
        named = {key: row[key] for key in keys}
        rows.append(
            named
            | {name: row.get(name) for name in values}
            | {f"other_{name}": other.get(name) for name in values}
        )
    return rows

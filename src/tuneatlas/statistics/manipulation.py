"""Manipulation checks, stated before a run: did the experiment do what its claims presuppose?

A claim whose checks fail is not testable here, whatever its interval says. Accuracies are
fractions of 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tuneatlas.tables import Row

# What is checked, and what it means where it fails.
TAUGHT, KEPT = "taught", "kept"
FLOOR, CEILING = "base_above_floor", "base_below_ceiling"
RESTORED, SOLVED = "restoration_keeps", "tasks_solved"
MEANINGS = {
    TAUGHT: "tuning did not teach its own kind of questions",
    KEPT: "tuning costs too much out of the domain",
    FLOOR: "the base model is too near to chance",
    CEILING: "the base model leaves no room for a change",
    RESTORED: "restoration costs the base model itself too much",
    SOLVED: "pre-training did not teach its own tasks",
}


@dataclass(frozen=True)
class Bounds:
    """What is asked for, as the config section says; margins are above chance."""

    taught_margin: float = 0.05
    kept_share: float = 0.8
    floor_margin: float = 0.05
    ceiling: float = 0.95


def check(name: str, where: Row, value: float, least: float = 0.0, most: float = 1.0) -> Row:
    """A row of the table of checks; ``where`` are its domain, scope and group."""
    # Rounding of a sum of equal parts is no failure.
    passed = least - 1e-9 <= value <= most + 1e-9
    bound = most if name == CEILING else least
    return {"check": name, **where, "value": value, "bound": bound, "passed": passed}


def base_checks(where: Row, base: float, chance: float, bounds: Bounds) -> list[Row]:
    """Is the base model away from floor and ceiling?"""
    return [
        check(FLOOR, where, base, least=chance + bounds.floor_margin),
        check(CEILING, where, base, most=bounds.ceiling),
    ]


def reasons(checks: Sequence[Row]) -> list[str]:
    """Why nothing can be told: for each kind of check that failed, what it means and where."""
    failed: dict[tuple[str, str], list[str]] = {}
    for row in checks:
        if not row["passed"]:
            failed.setdefault((row["check"], row["group"]), []).append(_seen(row))
    return [
        f"{MEANINGS[name]} ({'' if group == 'base' else group.upper() + ': '}{'; '.join(seen)})"
        for (name, group), seen in failed.items()
    ]


def _seen(row: Row) -> str:
    value, bound = (f"{100 * row[name]:.1f}%" for name in ("value", "bound"))
    place = (
        row.get("domain", ""),
        row.get("scope", "").upper(),
        f"{value} where {bound} was asked for",
    )
    return " ".join(filter(None, place))

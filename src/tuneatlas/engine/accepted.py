"""Changes of code that a user has read and accepted: an output made before counts as made after.

A record keeps them all, in order; each names the modules and libraries that it changed from what
the output counted as made by until then. What made the output stays as it was recorded.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuneatlas.engine.digest import Code
from tuneatlas.engine.jobs import code_changes, code_in

Changes = dict[str, list[str | None]]


def identities(record: Mapping[str, Any]) -> list[Code]:
    """The code that made an output, and each that was accepted in its place; the newest last."""
    found = [code_in(record)]
    for accepted in record.get("accepted", ()):
        last = found[-1]
        modules = _applied(last.modules, accepted["modules"])
        found.append(Code(modules, _applied(last.libraries, accepted["libraries"])))
    return found


def changes_since(record: Mapping[str, Any], now: Code) -> Iterator[tuple[str, str]]:
    """What is another module or library now than in the code that an output counts as made by.

    Yields which of the two, and how. Nothing, if it was made by this code or by one in whose place
    this was accepted.
    """
    known = identities(record)
    if now not in known:
        yield from code_changes(known[-1], now)


def accept(
    record: Mapping[str, Any], now: Code, *, who: str, when: str, why: str
) -> dict[str, Any]:
    """The record with one more acceptance: that the output counts as made by the code ``now``."""
    last = identities(record)[-1]
    accepted = {
        "when": when,
        "who": who,
        "why": why,
        "modules": _changes(last.modules, now.modules),
        "libraries": _changes(last.libraries, now.libraries),
    }
    rest = {key: value for key, value in record.items() if key != "seal"}
    return {**rest, "accepted": [*record.get("accepted", ()), accepted]}


def acceptances(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What was accepted, a line each: of which step, how many outputs, by whom, when, and why."""
    outputs: dict[tuple[str, str], int] = {}
    for record in records:
        for accepted in record.get("accepted", ()):
            names = [*accepted["modules"], *map(_version, accepted["libraries"].items())]
            text = f"by {accepted['who']}, {accepted['when']}: {accepted['why']}"
            key = record["step"], f"{text} ({', '.join(names)})"
            outputs[key] = outputs.get(key, 0) + 1
    for (step, text), number in outputs.items():
        yield f"{step}, {number} output{'s' if number > 1 else ''}, {text}"


def _version(change: tuple[str, list[str | None]]) -> str:
    name, (old, new) = change
    return f"{name} {old or 'none'} → {new or 'none'}"


def _applied(code: Mapping[str, str], changes: Mapping[str, list[str | None]]) -> dict[str, str]:
    found = {**code, **{name: new for name, (_, new) in changes.items()}}
    return {name: value for name, value in found.items() if value is not None}


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Changes:
    names = sorted(old.keys() | new.keys())
    return {n: [old.get(n), new.get(n)] for n in names if old.get(n) != new.get(n)}

"""The columns of the map: a line per measure, and how its cells are made of what was read."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuneatlas.studies.atlas.board import Cell, Measure, Part, Treated
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.measured import Distances
from tuneatlas.studies.atlas.runs import Cell as Point
from tuneatlas.studies.atlas.runs import Run, Training, Treatment
from tuneatlas.studies.atlas.savings import Relearned
from tuneatlas.studies.atlas.tables import BASE, LINE, LOST, NEVER, OTHER, RESET, STATED, point_name


class Read(Protocol):
    """What the cells are made of; every measure adds what it reads."""

    options: MapOptions
    contents: Mapping[str, Any]
    runs: Mapping[Treatment, Run]
    distances: Mapping[Treatment, Distances]
    relearned: Mapping[Treatment, Relearned]


Cells = dict[Treated, Cell]


def _settings(run: Run) -> list[str]:
    return [s for s in dict.fromkeys(setting for setting, _, _ in run.correct) if s != BASE[0]]


def _less(
    read: Read, run: Run, chosen: NDArray[Any], ends: tuple[Point, Point]
) -> dict[Training, list[Part]]:
    """Accuracy at the first of two points less that at the second, training by training."""
    items = [row["id"] for row, own in zip(run.items, chosen, strict=True) if own]
    names = [read.contents.get(name, name) for name in items]
    one, two = (run.correct[end][:, chosen].astype(np.float64) for end in ends)
    return {
        training: [Part(1.0, values, names)]
        for training, values in zip(run.trainings, one - two, strict=True)
    }


def _between(read: Read, scope: str, number: str, path: str, place: float) -> Cells:
    """``gain`` or ``regained`` (see table interpolation) at the point of a path nearest a place."""
    found: Cells = {}
    for (domain, group), run in read.runs.items():
        scopes = dict(run.scopes(domain, read.options.ood_roles))
        for setting in _settings(run):
            points = [c for c in run.correct if c[:2] == (setting, path)]
            if scope not in scopes or not points:
                continue
            at = min(points, key=lambda cell: abs(cell[2] - place))
            beside = BASE if number == "gain" else (setting, LINE, 1.0)
            parts = _less(read, run, scopes[scope], (at, beside))
            address = ("interpolation", domain, group, scope, point_name(*at), number)
            found[Treated(domain, group, setting)] = Cell(parts, "/".join(address))
    return found


def _far(read: Read) -> Cells:
    found: Cells = {}
    for (domain, group), own in read.distances.items():
        for setting, step in _last(own):
            point = (setting, step)
            parts = {}
            for training in own.trainings:
                far = own.far[training, point, "answers"]
                # All models of a training are measured on the same prompts.
                names = [(domain, group, training, number) for number in range(len(far))]
                parts[training] = [Part(1.0, far, names)]
            name = setting if step is None else f"{setting}/{step}"
            address = "/".join(("distances", domain, group, name, "answers"))
            found[Treated(domain, group, setting)] = Cell(parts, address)
    return found


def _last(own: Distances) -> Iterator[tuple[str, int | None]]:
    for setting in dict.fromkeys(setting for setting, _ in own.points):
        yield max((p for p in own.points if p[0] == setting), key=lambda point: point[1] or 0)


def _back(read: Read, text: str, signs: Mapping[str, float]) -> Cells:
    found: Cells = {}
    for (domain, group), own in read.relearned.items():
        parts: dict[Training, list[Part]] = {}
        for (said, kind, training), back in own.back.items():
            if said == text and kind in signs:
                names = [(kind, training, n) for n in range(back.shape[1])]
                parts.setdefault(training, []).append(Part(signs[kind], back[-1], names))
        if all(part.names for several in parts.values() for part in several):
            kind = "difference" if len(signs) > 1 else next(iter(signs))
            address = ("relearning", domain, group, text, str(own.updates[-1]), kind)
            found[Treated(domain, group, own.setting)] = Cell(parts, "/".join(address))
    return found


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="learnt",
        title="Gained at home",
        question="accuracy in the domain tuned on, less the base model's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: _between(read, "homo", "gain", LINE, 1.0),
    ),
    Measure(
        name="elsewhere",
        title="Gained elsewhere",
        question="accuracy out of the domain, less the base model's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: _between(read, "ood", "gain", LINE, 1.0),
    ),
    Measure(
        name="distance",
        title="Distance",
        question="KL(base ‖ tuned) over whole answers to prompts tuned on",
        unit="nats",
        files=("distance_law", "distances"),
        cells=_far,
    ),
    Measure(
        name="halfway",
        title="Back half way",
        question="accuracy out of the domain half way to the base model, less the tuned one's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: _between(read, "ood", "regained", LINE, 0.5),
    ),
    Measure(
        name="undone",
        title="Back undone",
        question="the same with the largest share of changes set back that is tried",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: _between(read, "ood", "regained", RESET, 100.0),
    ),
    Measure(
        name="returned",
        title="Back unstated",
        question="lost facts that are back after training on text that does not state them",
        unit="points",
        files=("relearning", "relearning"),
        cells=lambda read: _back(read, OTHER, {LOST: 1.0}),
    ),
    Measure(
        name="savings",
        title="Savings",
        question="lost facts that are back, less facts never known, after text that states both",
        unit="points",
        files=("relearning", "relearning"),
        cells=lambda read: _back(read, STATED, {LOST: 1.0, NEVER: -1.0}),
    ),
)

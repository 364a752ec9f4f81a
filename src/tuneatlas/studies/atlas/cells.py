"""How the cells of the map are made of what was read, for each treatment that has it."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL
from tuneatlas.studies.atlas.battery_map import BASE as BASE_MODEL
from tuneatlas.studies.atlas.battery_map import Answers
from tuneatlas.studies.atlas.board import Cell, Part, Treated
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.measured import Distances
from tuneatlas.studies.atlas.recovery import LOST as NOT_REACHED
from tuneatlas.studies.atlas.recovery import indicators
from tuneatlas.studies.atlas.runs import Cell as Point
from tuneatlas.studies.atlas.runs import Run
from tuneatlas.studies.atlas.savings import Relearned
from tuneatlas.studies.atlas.tables import BASE, LINE, point_name
from tuneatlas.studies.atlas.trainings import Training, Trainings, Treatment
from tuneatlas.tables import Row


class Read(Protocol):
    """What the cells are made of; every measure adds what it reads."""

    options: MapOptions
    contents: Contents
    runs: Mapping[Treatment, Run]
    distances: Mapping[Treatment, Distances]
    relearned: Mapping[Treatment, Relearned]
    batteries: Mapping[Treatment, Answers]
    mentions: Mentions
    moved: Trainings
    probed: Trainings


Cells = dict[Treated, Cell]


def _settings(run: Run) -> list[str]:
    return [s for s in dict.fromkeys(setting for setting, _, _ in run.correct) if s != BASE[0]]


def _less(
    read: Read, run: Run, chosen: NDArray[Any], ends: tuple[Point, Point]
) -> dict[Training, list[Part]]:
    """Accuracy at the first of two points less that at the second, training by training."""
    ids = (row["id"] for row, own in zip(run.items, chosen, strict=True) if own)
    names = clusters_of(ids, read.contents)
    one, two = (run.correct[end][:, chosen].astype(np.float64) for end in ends)
    return {
        training: [Part(1.0, values, names)]
        for training, values in zip(run.trainings, one - two, strict=True)
    }


def between(read: Read, scope: str, number: str, path: str, place: float) -> Cells:
    """``gain`` or ``regained`` (see table interpolation) at the point of a path nearest a place."""
    found: Cells = {}
    for (domain, group), run in read.runs.items():
        scopes = dict(run.scopes(partial(read.options.scope, (domain, group))))
        for setting in _settings(run):
            points = [c for c in run.correct if c[:2] == (setting, path)]
            if path == LINE and place < 1:
                # The tuned model lies on no way to the base.
                points = [c for c in points if c[2] < 1]
            if scope not in scopes or not points:
                continue
            at = min(points, key=lambda cell: abs(cell[2] - place))
            beside = BASE if number == "gain" else (setting, LINE, 1.0)
            parts = _less(read, run, scopes[scope], (at, beside))
            address = ("interpolation", domain, group, scope, point_name(*at), number)
            found[Treated(domain, group, setting)] = Cell(parts, "/".join(address))
    return found


def far(read: Read) -> Cells:
    """KL(base ‖ tuned) over whole answers of the last model of each setting."""
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


def back(read: Read, text: str, signs: Mapping[str, float]) -> Cells:
    """Facts of some kinds that are back by the last update, added up by sign."""
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


def _asked_of(read: Read, treatment: Treatment, own: Answers, scope: str) -> NDArray[np.bool_]:
    """Which items of a battery are in a scope, of the facts that count."""
    facts = read.options.facts
    return np.array(
        [
            read.options.scope(treatment, row) == scope
            and facts in (ALL, facts_of(row["id"], read.mentions))
            for row in own.items
        ]
    )


def in_way(read: Read, scope: str, way: str, number: str = "gain") -> Cells:
    """``gain`` or ``accuracy`` (see table battery) in a way of asking."""
    found: Cells = {}
    for (domain, group), own in read.batteries.items():
        where = _asked_of(read, (domain, group), own, scope)
        names = clusters_of((row["id"] for row in own.items), read.contents)
        names = [name for name, here in zip(names, where, strict=True) if here]
        for setting in own.settings if way in own.ways and names else ():
            before, after = (
                (own.chosen[name, way] == own.answer)[:, where].astype(np.float64)
                for name in (BASE_MODEL, setting)
            )
            told = after - before if number == "gain" else after
            parts = {
                training: [Part(1.0, values, names)]
                for training, values in zip(own.trainings, told, strict=True)
            }
            address = ("battery", domain, group, setting, scope, way, number)
            found[Treated(domain, group, setting)] = Cell(parts, "/".join(address))
    return found


def reached(read: Read, scope: str) -> Cells:
    """Of each training's lost questions, those reached by other prompts."""
    found: Cells = {}
    for (domain, group), own in read.batteries.items():
        where = _asked_of(read, (domain, group), own, scope)
        names = clusters_of((row["id"] for row in own.items), read.contents)
        for setting in own.settings:
            said = indicators(own.asked(setting))
            parts = {}
            for line, training in enumerate(own.trainings):
                lost = np.flatnonzero(where & (said["lost"][line] > 0))
                if len(lost):
                    values = said["reached"][line, lost]
                    parts[training] = [Part(1.0, values, [names[n] for n in lost])]
            if parts:
                treated = Treated(domain, group, setting)
                found[treated] = Cell(parts, _of_the_map(treated, "reached", parts, own.trainings))
    return found


def moved(read: Read) -> Cells:
    """How far all weights together moved: one number of each training."""
    found: Cells = {}
    for (domain, group), own in read.moved.items():
        sums: dict[str, dict[Training, list[float]]] = {}
        for training, rows in own.items():
            for row in rows:
                both = sums.setdefault(row["setting"], {}).setdefault(training, [0.0, 0.0])
                both[0] += row["change"] ** 2
                both[1] += row["norm"] ** 2
        for setting, of_each in sums.items():
            parts = {
                training: [Part(1.0, np.array([(moved / whole) ** 0.5]), [training])]
                for training, (moved, whole) in of_each.items()
            }
            found[Treated(domain, group, setting)] = Cell(parts, "")
    return found


def inside(read: Read) -> Cells:
    """What a probe of the last layer has right of the questions lost, less its control task."""
    found: Cells = {}
    for (domain, group), own in read.probed.items():
        parts: dict[str, dict[Training, list[Part]]] = {}
        for training, rows in own.items():
            asked: dict[str, list[Row]] = {}
            for row in rows:
                if (row["states"], row["kind"]) == ("tuned", NOT_REACHED):
                    asked.setdefault(row["setting"], []).append(row)
            for setting, lost in asked.items():
                last = max(row["layer"] for row in lost)
                told = [row for row in lost if row["layer"] == last]
                values = np.array([float(row["right"]) - float(row["control"]) for row in told])
                names = clusters_of((row["id"] for row in told), read.contents)
                parts.setdefault(setting, {})[training] = [Part(1.0, values, names)]
        for setting, of_each in parts.items():
            treated = Treated(domain, group, setting)
            found[treated] = Cell(of_each, _of_the_map(treated, "inside", of_each, own))
    return found


def _of_the_map(
    treated: Treated, measure: str, parts: Collection[Training], trainings: Collection[Training]
) -> str:
    """The address of a cell that stands in no other table; a training without items has no part."""
    return "/".join(("map", *treated, measure)) if len(parts) == len(trainings) else ""

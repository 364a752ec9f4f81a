"""The numbers of where tuning changed a model: by layer, with intervals."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tuneatlas.statistics.derived import derived_interval, within
from tuneatlas.statistics.intervals import mean_interval
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.recovery import KINDS
from tuneatlas.studies.atlas.trainings import (
    Training,
    Trainings,
    Treatment,
    bases_of,
    sizes_of,
)
from tuneatlas.tables import Row


def map_changes(
    moved: Trainings, alike: Trainings, options: MapOptions, seed: int, contents: Contents
) -> dict[str, Any]:
    """Tables ``weight_changes`` and ``similarity``, of rows of WEIGHT_CHANGES and SIMILARITY.

    ``contents`` as in `map_treatments`.
    """
    rng = np.random.default_rng(seed)
    found = {
        "weight_changes": [r for t, own in moved.items() for r in _moved(t, own, options, rng)],
        "similarity": [
            r for t, own in alike.items() for r in _alike(t, own, options, rng, contents)
        ],
    }
    return {name: plain(rows) for name, rows in found.items()}


def place_of(treatment: Treatment, trainings: Collection[Training]) -> Row:
    """The columns that say what a row is of."""
    return dict(zip(("domain", "group"), treatment, strict=True)) | sizes_of(trainings)


def _moved(
    treatment: Treatment,
    own: Mapping[Training, Sequence[Row]],
    options: MapOptions,
    rng: np.random.Generator,
) -> Iterator[Row]:
    """Of each layer, the norm of what all its weights changed by over that of the base's."""
    squares: dict[tuple[str, int], dict[Training, list[float]]] = {}
    for training, rows in own.items():
        for row in rows:
            at = squares.setdefault((row["setting"], row["layer"]), {})
            sums = at.setdefault(training, [0.0, 0.0])
            sums[0] += row["change"] ** 2
            sums[1] += row["norm"] ** 2
    place = place_of(treatment, own)
    for (setting, layer), of_each in sorted(squares.items()):
        values = [[(moved / whole) ** 0.5] for moved, whole in of_each.values()]
        how = (rng, options.draws, options.confidence, None, bases_of(of_each))
        interval = mean_interval(values, *how)
        yield place | {
            **{"setting": setting, "layer": layer},
            **interval_columns("relative_change", interval),
        }


def _alike(
    treatment: Treatment,
    own: Mapping[Training, Sequence[Row]],
    options: MapOptions,
    rng: np.random.Generator,
    contents: Contents,
) -> Iterator[Row]:
    """Linear CKA of each kind of questions in each layer, over all trainings that have enough."""
    found: dict[tuple[str, int, str], dict[Training, list[Row]]] = {}
    for training, rows in own.items():
        for row in rows:
            cell = (row["setting"], row["layer"], row["kind"])
            found.setdefault(cell, {}).setdefault(training, []).append(row)
    for (setting, layer, kind), of_each in sorted(
        found.items(), key=lambda item: (*item[0][:2], KINDS.index(item[0][2]))
    ):
        trainings = sorted(of_each)
        place = place_of(treatment, trainings)
        ids = sorted({row["id"] for rows in of_each.values() for row in rows})
        at = {name: n for n, name in enumerate(ids)}
        there, values = (np.zeros((len(trainings), len(ids))) for _ in range(2))
        for line, training in enumerate(trainings):
            for row in of_each[training]:
                there[line, at[row["id"]]], values[line, at[row["id"]]] = 1, row["value"]
        same = clusters_of(ids, contents)
        how = (rng, options.draws, options.confidence, same, bases_of(trainings))
        interval = derived_interval(lambda a, b: a / b, (values, there), *how)
        yield place | {
            **{"setting": setting, "layer": layer, "kind": kind, "asked": int(there.sum())},
            "cka": float(np.mean([of_each[t][0]["cka"] for t in trainings])),
            **interval_columns("similarity", within(interval, -math.inf, 1.0)),
        }

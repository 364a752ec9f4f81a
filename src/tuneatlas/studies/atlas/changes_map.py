"""The numbers of where tuning changed a model: by layer, with intervals."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.statistics.derived import derived_interval, within
from tuneatlas.statistics.intervals import mean_interval
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.recovery import KINDS
from tuneatlas.studies.atlas.runs import Training, Treatment
from tuneatlas.studies.atlas.tables import SIMILARITY, WEIGHT_CHANGES
from tuneatlas.tables import Row, Table

Files = Mapping[Treatment, Mapping[Training, Sequence[Row]]]


def read_trainings(paths: Sequence[Path], table: Table) -> Files:
    """Rows of files ``…/{model}/{domain}/{group}/{seed}….parquet``, by treatment and training."""
    found: dict[Treatment, dict[Training, list[Row]]] = {}
    for path in sorted(paths):
        model, domain, group = path.parts[-4:-1]
        seed = int(path.name.split(".")[0])
        found.setdefault((domain, group), {})[model, seed] = table.read(path)
    return found


def map_changes(
    weights: Sequence[Path],
    similarity: Sequence[Path],
    options: MapOptions,
    seed: int,
    contents: Mapping[str, Hashable],
) -> dict[str, Any]:
    """Tables ``weight_changes`` and ``similarity``; ``contents`` as in `map_treatments`."""
    rng = np.random.default_rng(seed)
    moved = read_trainings(weights, WEIGHT_CHANGES)
    alike = read_trainings(similarity, SIMILARITY)
    found = {
        "weight_changes": [r for t, own in moved.items() for r in _moved(t, own, options, rng)],
        "similarity": [
            r for t, own in alike.items() for r in _alike(t, own, options, rng, contents)
        ],
    }
    return {name: plain(rows) for name, rows in found.items()}


def place_of(treatment: Treatment, trainings: Sequence[Training]) -> Row:
    """The columns that say what a row is of."""
    return {
        **dict(zip(("domain", "group"), treatment, strict=True)),
        "replicates": len({model for model, _ in trainings}),
        "seeds": len({seed for _, seed in trainings}),
    }


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
    place = place_of(treatment, list(own))
    for (setting, layer), of_each in sorted(squares.items()):
        values = [[(moved / whole) ** 0.5] for moved, whole in of_each.values()]
        how = (rng, options.draws, options.confidence, None, place["replicates"])
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
    contents: Mapping[str, Hashable],
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
        same = [contents.get(name, name) for name in ids]
        # Of several base models those that have enough may be tuned under other seeds each.
        even = len(trainings) == place["replicates"] * place["seeds"]
        how = (rng, options.draws, options.confidence, same, place["replicates"] if even else 1)
        interval = derived_interval(lambda a, b: a / b, (values, there), *how)
        yield place | {
            **{"setting": setting, "layer": layer, "kind": kind, "asked": int(there.sum())},
            "cka": float(np.mean([of_each[t][0]["cka"] for t in trainings])),
            **interval_columns("similarity", within(interval, -math.inf, 1.0)),
        }

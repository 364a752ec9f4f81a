"""The numbers of the probe on hidden states: what can be read inside, by kind of question."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.statistics.derived import ratio_interval, within
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.changes_map import place_of
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.recovery import KINDS
from tuneatlas.studies.atlas.tables import UNKNOWN
from tuneatlas.studies.atlas.trainings import Training, Trainings, Treatment, bases_of
from tuneatlas.tables import Row

SHOWN = (*KINDS, UNKNOWN)


def map_inside(
    probed: Trainings, options: MapOptions, seed: int, contents: Contents
) -> dict[str, Any]:
    """Table ``inside``, of rows of PROBED_STATES; ``contents`` as in `map_treatments`."""
    rng = np.random.default_rng(seed)
    rows = (r for at, own in probed.items() for r in _inside(at, own, options, rng, contents))
    return {"inside": plain(list(rows))}


def _inside(
    treatment: Treatment,
    own: Mapping[Training, Sequence[Row]],
    options: MapOptions,
    rng: np.random.Generator,
    contents: Contents,
) -> Iterator[Row]:
    """Of each setting, model, layer and kind of question: the share that the probe has right."""
    trainings = sorted(own)
    ids = sorted({row["id"] for rows in own.values() for row in rows})
    at = {name: n for n, name in enumerate(ids)}
    same = clusters_of(ids, contents)
    place = place_of(treatment, trainings)
    found: dict[tuple[str, str, int], list[tuple[int, Row]]] = {}
    for line, training in enumerate(trainings):
        for row in own[training]:
            cell = (row["setting"], row["states"], row["layer"])
            found.setdefault(cell, []).append((line, row))
    for (setting, states, layer), rows in sorted(found.items()):
        for kind in SHOWN:
            tables = np.zeros((4, len(trainings), len(ids)))
            for line, row in rows:
                if row["kind"] == kind:
                    values = (1, row["right"], row["control"], 1 / row["options"])
                    tables[:, line, at[row["id"]]] = values
            there, right, control, chance = tables
            if not there.any():
                continue
            how = (rng, options.draws, options.confidence, same, bases_of(trainings))
            yield place | {
                **{"setting": setting, "states": states, "layer": layer, "kind": kind},
                "asked": int(there.sum()),
                "chance": float(chance.sum() / there.sum()),
                **_share("right", ratio_interval(right, there, *how)),
                **_share("control", ratio_interval(control, there, *how)),
                **interval_columns("selectivity", ratio_interval(right - control, there, *how)),
            }


def _share(name: str, found: Interval | None) -> Row:
    return interval_columns(name, within(found, 0.0, 1.0))

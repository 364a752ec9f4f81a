"""The map of the atlas: treatments by measures, each cell and each pair of cells with an interval.

A measure is a line of a table (``measures.py``) that says for each treatment and training which
means over items its number is the sum of. All treatments of a measure have one draw of items, so
that two of them are compared on the same items and trainings, as far as they share these.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from tuneatlas.statistics.bootstrap import (
    Floats,
    average_rows,
    percentile_interval,
    resample_blocks,
)
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.trainings import Training, bases_of, sizes_of
from tuneatlas.tables import Row


class Treated(NamedTuple):
    """A row of the map: what was tuned on, in which group, and how."""

    domain: str
    group: str
    setting: str


class Part(NamedTuple):
    """``weight`` times the mean of ``values`` (items,), of which those of one name are one."""

    weight: float
    values: Floats
    names: Sequence[Hashable]


class Cell(NamedTuple):
    """What a measure says of a treatment: the parts of its number, by training.

    ``address`` is that of the number behind it, less the model; empty, if there is none.
    """

    parts: Mapping[Training, Sequence[Part]]
    address: str


class Measure(NamedTuple):
    """A column of the map.

    ``unit`` is what its numbers are shown in: points (shares, as points of a hundred), or nats;
    ``files`` are the figure and the table in which all of it stands.
    """

    name: str
    title: str
    question: str
    unit: str
    files: tuple[str, str]
    cells: Callable[[Any], Mapping[Treated, Cell]]


class _Drawn(NamedTuple):
    """A cell with its draws: values (trainings,), draws (draws, trainings)."""

    cell: Cell
    values: Floats
    draws: Floats
    items: int


def board(
    measures: Sequence[Measure], read: Any, options: MapOptions, seed: int
) -> dict[str, list[Row]]:
    """Tables ``map``, a row per cell, and ``map_pairs``, per measure and two treatments."""
    tables: dict[str, list[Row]] = {"map": [], "map_pairs": []}
    for number, measure in enumerate(measures):
        rng = np.random.default_rng([seed, 10, number])
        drawn = _drawn(measure.cells(read), options, rng)
        for treated, own in drawn.items():
            tables["map"].append(
                {
                    **treated._asdict(),
                    "measure": measure.name,
                    **sizes_of(own.cell.parts),
                    "items": own.items,
                    **_interval(own.cell.parts, own.values, own.draws, options, rng),
                    "address": own.cell.address,
                }
            )
        for (first, one), (second, two) in combinations(drawn.items(), 2):
            if one.cell.parts.keys() != two.cell.parts.keys():
                continue
            apart = one.values - two.values, one.draws - two.draws
            names = {f"{name}_{key}": value for name, side in (("first", first), ("second", second))
                     for key, value in side._asdict().items()}  # fmt: skip
            tables["map_pairs"].append(
                {
                    "measure": measure.name,
                    **names,
                    **_interval(one.cell.parts, *apart, options, rng),
                }
            )
    return {name: plain(rows) for name, rows in tables.items()}


def _drawn(
    cells: Mapping[Treated, Cell], options: MapOptions, rng: np.random.Generator
) -> dict[Treated, _Drawn]:
    """All cells of a measure, with one draw of items for all of them."""
    parts = [part for cell in cells.values() for own in cell.parts.values() for part in own]
    blocks = [np.atleast_2d(np.asarray(part.values, dtype=np.float64)) for part in parts]
    means = iter(resample_blocks(blocks, [part.names for part in parts], options.draws, rng))
    found = {}
    for treated, cell in cells.items():
        values = [
            sum(p.weight * float(np.mean(p.values)) for p in own) for own in cell.parts.values()
        ]
        draws = [
            sum((part.weight * next(means)[:, 0] for part in own), np.zeros(options.draws))
            for own in cell.parts.values()
        ]
        names = {name for own in cell.parts.values() for part in own for name in part.names}
        found[treated] = _Drawn(cell, np.array(values), np.stack(draws, axis=1), len(names))
    return found


def _interval(
    trainings: Mapping[Training, Any],
    values: Floats,
    draws: Floats,
    options: MapOptions,
    rng: np.random.Generator,
) -> Row:
    each = average_rows(draws, values, bases_of(trainings), rng)
    found = percentile_interval(float(values.mean()), each, options.confidence)
    return interval_columns("value", found)

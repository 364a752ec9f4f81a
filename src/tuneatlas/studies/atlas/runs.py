"""Answers of several runs as arrays: one tuning, all its replicates and seeds, the same items."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.mentions import Mentions
from tuneatlas.data.scopes import ALL, SCOPES
from tuneatlas.studies.atlas.tables import INTERPOLATED
from tuneatlas.studies.atlas.trainings import (
    Training,
    Treatment,
    align,
    on_facts,
    read_trainings,
)
from tuneatlas.tables import Row

# Columns of the table that are read.
COMPARED = ("setting", "path", "point", "id", "domain", "role", "correct", "tied")
# Setting, path and point.
Cell = tuple[str, str, float]


class Run(NamedTuple):
    """What was asked of a treatment, in the order of ``trainings``, those of a replicate together.

    ``correct`` and ``tied`` are by cell, of shape (trainings, items).
    """

    trainings: list[Training]
    items: list[Row]
    correct: Mapping[Cell, NDArray[Any]]
    tied: Mapping[Cell, NDArray[Any]]

    def scopes(self, scope: Callable[[Row], str | None]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Which items are in each scope that has any; ``scope`` says that of an item."""
        found = [scope(row) for row in self.items]
        for name in SCOPES:
            if name in found:
                yield name, np.array([own == name for own in found])


def read_runs(
    paths: Sequence[Path], facts: str = ALL, mentions: Mentions | None = None
) -> dict[Treatment, Run]:
    """Runs from files of trainings (`training_of`), of questions on ``facts``."""
    found = on_facts(read_trainings(paths, INTERPOLATED, COMPARED), facts, mentions or {})
    return {treatment: _run(treatment, own) for treatment, own in sorted(found.items())}


def _run(treatment: Treatment, rows: Mapping[Training, Sequence[Row]]) -> Run:
    asked = align(treatment, rows, _cell, step="interpolate_weights", otherwise="at other points")
    return Run(asked.trainings, asked.items, asked.column("correct"), asked.column("tied"))


def _cell(row: Row) -> Cell:
    return row["setting"], row["path"], row["point"]

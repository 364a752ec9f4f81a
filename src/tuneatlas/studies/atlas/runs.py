"""Answers of several runs as arrays: one tuning, all its replicates and seeds, the same items."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.duplicates import keys_of
from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL, SCOPES, scope_of
from tuneatlas.errors import UserError
from tuneatlas.studies.atlas.tables import INTERPOLATED
from tuneatlas.tables import QUESTIONS, Row

# Columns of the tables that are read.
COMPARED = ("setting", "path", "point", "id", "domain", "role", "correct", "tied")
SAID = ("id", "question", "choices", "answer")
# A domain and the group tuned on.
Treatment = tuple[str, str]
# A replicate of the base model, and the seed of a tuning of it.
Training = tuple[str, int]
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

    @property
    def replicates(self) -> int:
        """How many base models were tuned."""
        return len({model for model, _ in self.trainings})

    def scopes(self, domain: str, ood_roles: Collection[str]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Which items are in each scope that has any, seen from the domain tuned on."""
        found = [scope_of(domain, row["domain"], row["role"], ood_roles) for row in self.items]
        for scope in SCOPES:
            if scope in found:
                yield scope, np.array([own == scope for own in found])


def read_runs(
    paths: Sequence[Path], facts: str = ALL, mentions: Mentions | None = None
) -> dict[Treatment, Run]:
    """Runs from files ``…/{model}/{domain}/{group}/{seed}.parquet``, of questions on ``facts``."""
    found: dict[Treatment, dict[Training, list[Row]]] = {}
    for path in paths:
        model, domain, group = path.parts[-4:-1]
        rows = INTERPOLATED.read(path, COMPARED)
        if facts != ALL:
            rows = [row for row in rows if facts_of(row["id"], mentions or {}) == facts]
        if not rows:
            raise UserError(f"{path}: no question is on facts that are {facts}: see compare_groups")
        found.setdefault((domain, group), {})[model, int(path.stem)] = rows
    return {treatment: _run(treatment, of) for treatment, of in sorted(found.items())}


def read_contents(paths: Sequence[Path]) -> dict[str, Hashable]:
    """What each question says, by id: the same for those that say the same."""
    return {row["id"]: keys_of(row)[1] for path in paths for row in QUESTIONS.read(path, SAID)}


def _run(treatment: Treatment, rows: Mapping[Training, Sequence[Row]]) -> Run:
    trainings = sorted(rows)
    tables = [_by_cell(rows[training]) for training in trainings]
    first = tables[0]
    ids = sorted(next(iter(first.values())))
    for training, table in zip(trainings, tables, strict=True):
        if table.keys() != first.keys() or any(own.keys() != set(ids) for own in table.values()):
            raise UserError(
                f"atlas: {', '.join(treatment)}: {training[0]}, seed {training[1]} was asked other "
                "questions or at other points than the rest; run interpolate_weights again"
            )

    def column(name: str) -> dict[Cell, NDArray[Any]]:
        return {
            cell: np.array([[table[cell][i][name] for i in ids] for table in tables])
            for cell in first
        }

    items = [next(iter(first.values()))[i] for i in ids]
    return Run(trainings, items, column("correct"), column("tied"))


def _by_cell(rows: Sequence[Row]) -> dict[Cell, dict[str, Row]]:
    found: dict[Cell, dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["setting"], row["path"], row["point"]), {})[row["id"]] = row
    return found

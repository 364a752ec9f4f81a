"""Trainings, and what files ``…/{model}/{domain}/{group}/{seed}….parquet`` say of each."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuneatlas.engine.step import Step
from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL, GIVEN
from tuneatlas.errors import UserError
from tuneatlas.tables import Row, Table

# A domain and the group tuned on; of a checkpoint tuned elsewhere, GIVEN and its name.
Treatment = tuple[str, str]
# A replicate of the base model, and the seed of a tuning of it.
Training = tuple[str, int]
Trainings = Mapping[Treatment, Mapping[Training, Sequence[Row]]]
# Which of the models of a training was asked, and how.
Cell = TypeVar("Cell", bound=Hashable)


def training_of(path: Path) -> tuple[Treatment, Training]:
    """What the path of a file says that it is of.

    A checkpoint tuned elsewhere, of which a restored one is at
    ``…/measure_checkpoint/{model}/{checkpoint}/{seed}.answers.parquet``, is one training.
    """
    _, restored, rest = path.as_posix().rpartition("/measure_checkpoint/")
    if restored:
        model, name = rest.split("/")[:2]
        return (GIVEN, name), (model, 0)
    model, domain, group = path.parts[-4:-1]
    return (domain, group), (model, int(path.name.split(".")[0]))


def read_trainings(paths: Sequence[Path], table: Table, columns: Sequence[str] = ()) -> Trainings:
    """Rows by treatment and training, in the order of ``paths``; no ``columns``: all."""
    found: dict[Treatment, dict[Training, list[Row]]] = {}
    for path in paths:
        treatment, training = training_of(path)
        found.setdefault(treatment, {})[training] = table.read(path, columns)
    return found


def tuned_models(step: Step) -> dict[str, Path]:
    """Folders of the tuned models that a step on one training is given, by setting.

    ``stages`` is the last model of a longer tuning, where that is followed, and of a checkpoint
    tuned elsewhere the last or only one, which was not tuned by step ``finetune``.
    """
    found = {"finetune": step.paths("finetuned"), "stages": step.paths("stages")[-1:]}
    return {setting: folder for setting, own in found.items() for folder in own}


def on_facts(found: Trainings, facts: str, mentions: Mentions) -> Trainings:
    """Rows of the questions on ``facts`` alone."""
    if facts == ALL:
        return found
    return {
        treatment: {
            training: [row for row in rows if facts_of(row["id"], mentions) == facts]
            for training, rows in own.items()
        }
        for treatment, own in found.items()
    }


def sizes_of(trainings: Collection[Training]) -> Row:
    """The columns that say how many base models were tuned, and under how many seeds."""
    replicates, seeds = (len({training[n] for training in trainings}) for n in (0, 1))
    return {"replicates": replicates, "seeds": seeds}


def bases_of(trainings: Iterable[Training]) -> list[str]:
    """The base model of each, which says to intervals what of it is a replicate's."""
    return [model for model, _ in trainings]


class Aligned(NamedTuple, Generic[Cell]):
    """Rows of all trainings of a treatment, of the same items in the same cells.

    ``trainings`` are sorted, and ``items`` by id; ``tables`` are in the order of trainings.
    """

    trainings: list[Training]
    items: list[Row]
    tables: list[dict[Cell, dict[str, Row]]]

    def column(self, name: str) -> dict[Cell, NDArray[Any]]:
        """A column by cell, of shape (trainings, items)."""
        ids = [row["id"] for row in self.items]
        return {
            cell: np.array([[table[cell][i][name] for i in ids] for table in self.tables])
            for cell in self.tables[0]
        }


def align(
    treatment: Treatment,
    rows: Mapping[Training, Sequence[Row]],
    cell: Callable[[Row], Cell],
    *,
    step: str,
    otherwise: str,
) -> Aligned[Cell]:
    """What the trainings of a treatment were asked by ``step``.

    Raises UserError if one was asked nothing, or other questions, or ``otherwise`` than the rest.
    """
    trainings = sorted(rows)
    tables: list[dict[Cell, dict[str, Row]]] = []
    for training in trainings:
        table: dict[Cell, dict[str, Row]] = {}
        for row in rows[training]:
            table.setdefault(cell(row), {})[row["id"]] = row
        tables.append(table)
        who = f"atlas: {', '.join(treatment)}: {training[0]}, seed {training[1]}"
        if not table:
            raise UserError(f"{who} was asked no question that counts: see compare_groups.facts")
        ids = next(iter(tables[0].values())).keys()
        if table.keys() != tables[0].keys() or any(own.keys() != ids for own in table.values()):
            raise UserError(
                f"{who} was asked other questions or {otherwise} than the rest; run {step} again"
            )
    items = next(iter(tables[0].values()))
    return Aligned(trainings, [items[i] for i in sorted(items)], tables)

"""The answers of all runs, checked to be about the same questions, and who is right at a step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.statistics.tests import PairedTest, mcnemar
from tuneatlas.studies.forgetting.fates import fate_indicators, knowledge_indicators
from tuneatlas.studies.forgetting.tables import Cell, StageTable
from tuneatlas.tables import Row

RunName = tuple[str, str]
# Which questions of all, by scope.
Scopes = Mapping[str, NDArray[Any]]
SETTINGS = ("stages", "finetune")
NOT_KNOWN: Row = {"value": None, "low": None, "high": None}
BASE, CONTROL = "base model", "restored base model"
# What is tested at each step: the fields of Paths before and after.
COMPARISONS = {
    "base to tuned": ("base", "tuned"),
    "tuned to restored": ("tuned", "restored"),
    "base to restored": ("base", "restored"),
    "restored base to restored": ("control", "restored"),
}


@dataclass(frozen=True)
class Options:
    """The config section ``stage_forgetting``, less what names runs; what it shares with S1."""

    ood_roles: tuple[str, ...]
    margin: float
    draws: int
    confidence: float
    manipulation_checks: Mapping[str, float] = field(default_factory=dict)


class Paths(NamedTuple):
    """Answers at one step: base (items,), the others (seeds, items); of replicates base too."""

    base: NDArray[Any]
    tuned: NDArray[Any]
    restored: NDArray[Any]
    control: NDArray[Any]


class Study:
    """The tables of all runs, checked to be about the same questions."""

    def __init__(
        self, base: StageTable, runs: Mapping[RunName, StageTable], options: Options
    ) -> None:
        self.base, self.runs, self.options = base, runs, options
        self.alpha = 1 - options.confidence
        self.replicates = base.replicates
        # One base model, whatever the seed; of several replicates that of each run.
        whole = base.correct(Cell("base", 0, 0))
        self.before = whole if self.replicates > 1 else whole[0]
        for name, table in runs.items():
            if table.ids != base.ids or table.seeds != base.seeds:
                raise UserError(
                    f"stage_forgetting: the run of {name[0]}, {name[1]} has other questions or "
                    "seeds than the base model; run evaluate_stages again"
                )

    def cells(self) -> Iterator[tuple[RunName, str, int]]:
        """Every (run, setting, step)."""
        for run, table in self.runs.items():
            for setting in SETTINGS:
                for step in table.steps(setting):
                    yield run, setting, step

    def everything(self) -> Scopes:
        """All questions together, as one scope without a name."""
        return {"": np.ones(len(self.base.ids), dtype=bool)}

    def scopes(self, run: RunName) -> Scopes:
        """The questions of each scope that has any, seen from the domain of a run."""
        whole, *parts = self.base.scopes(run[0], self.options.ood_roles)
        return {name.removeprefix(f"{whole[0]}_"): chosen for name, chosen in parts}

    def answered(
        self, run: RunName, setting: str, step: int
    ) -> tuple[list[NDArray[Any]], dict[str, Floats], dict[str, Floats] | None]:
        """The options chosen on a path, (1 or seeds, items) each, and the fates of the questions.

        Of what is answered, and of what is known; None where luck cannot be told, from fewer than
        four options.
        """
        table = self.runs[run]
        base = self.base.chosen(Cell("base", 0, 0))
        base = base if self.replicates > 1 else base[:1]
        chosen = [base, *(table.chosen(Cell(setting, step, percent)) for percent in (0, 100))]
        right, options = self.base.answer, self.base.options
        answered = fate_indicators(*(c == right for c in chosen))
        if (options < 4).any():
            return chosen, answered, None
        first, second, third = chosen
        return chosen, answered, knowledge_indicators(first, second, third, right, options)

    def paths(self, run: RunName, setting: str, step: int) -> Paths:
        """Who is right at one step of a run."""
        table = self.runs[run]
        return Paths(
            self.before,
            table.correct(Cell(setting, step, 0)),
            table.correct(Cell(setting, step, 100)),
            self.base.correct(Cell("base", 0, 100)),
        )

    def tests(
        self, run: RunName, setting: str, chosen: NDArray[Any], seed: int | None = None
    ) -> dict[str, list[PairedTest]]:
        """Each comparison at each step, over the questions ``chosen``, p as it is.

        ``seed`` is the position of one seed; None takes all of them.
        """
        found: dict[str, list[PairedTest]] = {name: [] for name in COMPARISONS}
        for step in self.runs[run].steps(setting):
            paths = self.paths(run, setting, step)
            if seed is not None:
                base = paths.base if paths.base.ndim == 1 else paths.base[seed]
                paths = Paths(base, *(part[[seed]] for part in paths[1:]))
            for name, (before, after) in COMPARISONS.items():
                one, two = (getattr(paths, part)[..., chosen] for part in (before, after))
                number = self.replicates if seed is None else 1
                found[name].append(mcnemar(one, two, number))
        return found

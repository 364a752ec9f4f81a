"""From the answers of every model of every run to the numbers of the forgetting study.

The study is "Pattern Shifting or Knowledge Losing?" (Zhang et al. 2024). Shares, differences
and their intervals are fractions of 1; likelihoods are in bits per byte.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.statistics.metrics import plain
from tuneatlas.statistics.tests import PairedTest, holm, mcnemar
from tuneatlas.studies.forgetting.fates import (
    FATES,
    Transition,
    fate_indicators,
    find_transition,
    kind_of_loss,
    knowledge_indicators,
)
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.tables import Cell, StageTable
from tuneatlas.tables import Row

RunName = tuple[str, str]
SETTINGS = ("stages", "finetune")
TEXTS = ("facts", "quiz", "prose")
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
    """The config section ``stage_forgetting``, less what names runs, and ``ood_roles``."""

    ood_roles: tuple[str, ...]
    margin: float
    draws: int
    confidence: float


@dataclass(frozen=True)
class Forgetting:
    """The numbers of the study as tables of plain rows."""

    design: Row
    overlap: Row
    control: list[Row]
    measures: list[Row]
    fates: list[Row]
    tests: list[Row]
    stages: list[Row]
    transitions: list[Row]

    def metrics(self) -> dict[str, Any]:
        """All numbers as JSON-able values, rounded; a number that is not defined is null."""
        return {str(name): plain(rows) for name, rows in vars(self).items()}


class Paths(NamedTuple):
    """Answers at one step: base (items,), the others (seeds, items)."""

    base: np.ndarray[Any, Any]
    tuned: np.ndarray[Any, Any]
    restored: np.ndarray[Any, Any]
    control: np.ndarray[Any, Any]


def stage_forgetting(
    base: StageTable,
    runs: Mapping[RunName, StageTable],
    overlap: Row,
    options: Options,
    seed: int,
) -> Forgetting:
    """All numbers of the study.

    Args:
        base: the base model and the restored base model, by seed.
        runs: the models of each (tuned domain, group), by seed.
        overlap: what was measured of the restoration text.
        options: roles that count out of the domain, margin, resamples, confidence level.
        seed: of the resampling.
    """
    if not runs:
        raise UserError("stage_forgetting.groups: no run to follow; name at least one group")
    rng = np.random.default_rng(seed)
    study = _Study(base, runs, options, rng)
    return Forgetting(
        design={
            "domains": sorted({domain for domain, _ in runs}),
            "groups": list(dict.fromkeys(group for _, group in runs)),
            "seeds": base.seeds,
            "steps": next(iter(runs.values())).steps("stages"),
            "items": len(base.ids),
            "options": sorted(set(map(int, base.options))),
            **asdict(options),
            "ood_roles": list(options.ood_roles),
        },
        overlap=dict(overlap),
        control=list(study.control()),
        measures=list(study.measures()),
        fates=[row for cell in study.cells() for row in study.fates(*cell)],
        tests=[row for run in runs for row in study.tests(run)],
        stages=[row for run in runs for row in study.stage_rows(run)],
        transitions=[row for run in runs for row in study.transitions(run)],
    )


class _Study:
    """The tables of all runs, checked to be about the same questions."""

    def __init__(
        self,
        base: StageTable,
        runs: Mapping[RunName, StageTable],
        options: Options,
        rng: np.random.Generator,
    ) -> None:
        self.base, self.runs, self.options = base, runs, options
        self.draw = Resampler(rng, options.draws, options.confidence)
        self.alpha = 1 - options.confidence
        self.before = base.correct(Cell("base", 0, 0))[0]
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

    def paths(self, run: RunName, setting: str, step: int) -> Paths:
        """Who is right at one step of a run."""
        table = self.runs[run]
        return Paths(
            self.before,
            table.correct(Cell(setting, step, 0)),
            table.correct(Cell(setting, step, 100)),
            self.base.correct(Cell("base", 0, 100)),
        )

    def control(self) -> Iterator[Row]:
        """The restored base model less the base model: knowledge, and each kind of text."""
        restored = self.base.correct(Cell("base", 0, 100))
        test = mcnemar(self.before, restored)
        change = self.draw.difference(restored, self.before)
        yield {
            "measure": "accuracy",
            "n": len(self.before),
            "seeds": len(restored),
            **change,
            "per_seed": [float(v) for v in (restored.mean(axis=1) - self.before.mean())],
            "p": test.p,
            "within_noise": test.p > self.alpha and change["low"] <= 0 <= change["high"],
        }
        for measure, kinds in _text_measures(self.base.kinds()):
            before, size = self.base.nats(Cell("base", 0, 0), kinds)
            after, _ = self.base.nats(Cell("base", 0, 100), kinds)
            change = self.draw.bits(after - before, size)
            yield {
                "measure": measure,
                "n": len(size),
                "seeds": len(after),
                **change,
                "per_seed": [
                    float(v) for v in (after - before).sum(axis=1) / size.sum() / math.log(2)
                ],
                "p": None,
                "within_noise": change["low"] <= 0 <= change["high"],
            }

    def measures(self) -> Iterator[Row]:
        """Every measure of every model: as tuned, and along its restoration."""
        tables: list[tuple[str, str, StageTable]] = [("", "base", self.base)]
        tables += [(domain, group, table) for (domain, group), table in self.runs.items()]
        for domain, group, table in tables:
            for cell in table.cells():
                where = {"domain": domain, "group": group, **cell._asdict()}
                correct = table.correct(cell)
                for measure, chosen in table.scopes(domain, self.options.ood_roles):
                    part = correct[:, chosen]
                    count = {"n": part.shape[1], "seeds": len(part)}
                    count["ties"] = int(table.ties(cell)[:, chosen].sum())
                    yield {**where, "measure": measure, **count, **self.draw.mean(part)}
                for measure, kinds in _text_measures(self.base.kinds()):
                    nats, size = table.nats(cell, kinds)
                    count = {"n": len(size), "seeds": len(nats)}
                    yield {**where, "measure": measure, **count, **self.draw.bits(nats, size)}

    def fates(self, run: RunName, setting: str, step: int) -> Iterator[Row]:
        """How many questions went which way from the base to the restored model."""
        table = self.runs[run]
        base = self.base.chosen(Cell("base", 0, 0))[0]
        chosen = [base, *(table.chosen(Cell(setting, step, percent)) for percent in (0, 100))]
        right = self.base.answer
        answered = fate_indicators(*(c == right for c in chosen))
        known = None
        if (self.base.options >= 4).all():
            first, second, third = chosen
            known = knowledge_indicators(first, second, third, right, self.base.options)
        for fate in FATES:
            yield {
                "domain": run[0],
                "group": run[1],
                "setting": setting,
                "step": step,
                "fate": fate,
                "n": answered[fate].shape[-1],
                "seeds": len(answered[fate]),
                "counts": [int(v) for v in answered[fate].sum(axis=-1)],
                **self.draw.mean(answered[fate]),
                **{
                    f"known_{name}": value
                    for name, value in (self.draw.mean(known[fate]) if known else NOT_KNOWN).items()
                },
            }

    def compared(
        self, run: RunName, setting: str, seed: int | None = None
    ) -> dict[str, list[tuple[PairedTest, PairedTest]]]:
        """Each comparison at each step: the test as it is, and with p corrected along the run.

        ``seed`` is the position of one seed; None takes all of them.
        """
        found: dict[str, list[PairedTest]] = {name: [] for name in COMPARISONS}
        for step in self.runs[run].steps(setting):
            paths = self.paths(run, setting, step)
            if seed is not None:
                paths = Paths(paths.base, *(part[[seed]] for part in paths[1:]))
            for name, (before, after) in COMPARISONS.items():
                found[name].append(mcnemar(getattr(paths, before), getattr(paths, after)))
        return {
            name: [
                (test, test._replace(p=float(p)))
                for test, p in zip(tests, holm([t.p for t in tests]), strict=True)
            ]
            for name, tests in found.items()
        }

    def tests(self, run: RunName) -> Iterator[Row]:
        """One row per test: counts over all seeds, p as it is and corrected."""
        for setting in SETTINGS:
            steps = self.runs[run].steps(setting)
            for name, pairs in self.compared(run, setting).items():
                before, after = COMPARISONS[name]
                for step, (test, corrected) in zip(steps, pairs, strict=True):
                    paths = self.paths(run, setting, step)
                    yield {
                        "domain": run[0],
                        "group": run[1],
                        "setting": setting,
                        "step": step,
                        "comparison": name,
                        "n": len(self.before),
                        "seeds": len(paths.tuned),
                        "lost": test.lost,
                        "gained": test.gained,
                        **self.draw.difference(getattr(paths, after), getattr(paths, before)),
                        "p": test.p,
                        "p_corrected": corrected.p,
                    }

    def stage_rows(self, run: RunName) -> Iterator[Row]:
        """The stage of each step, over all seeds and for each."""
        for setting in SETTINGS:
            steps = self.runs[run].steps(setting)
            pooled = self._stages(run, setting, None)
            single = [self._stages(run, setting, i) for i in range(len(self.base.seeds))]
            for number, step in enumerate(steps):
                yield {
                    "domain": run[0],
                    "group": run[1],
                    "setting": setting,
                    "step": step,
                    "stage": pooled[number],
                    "per_seed": [stages[number] for stages in single],
                }

    def _stages(self, run: RunName, setting: str, seed: int | None) -> list[str]:
        tests = self.compared(run, setting, seed)
        tuned, recovery, restored = (
            [corrected for _, corrected in tests[name]]
            for name in ("base to tuned", "tuned to restored", "base to restored")
        )
        return [
            kind_of_loss(*step, self.alpha) for step in zip(tuned, recovery, restored, strict=True)
        ]

    def transitions(self, run: RunName) -> Iterator[Row]:
        """The transition of a run, against the base model and against the restored one."""
        table = self.runs[run]
        steps = table.steps("stages")
        restored = np.stack([table.correct(Cell("stages", s, 100)) for s in steps], axis=1)
        control = self.base.correct(Cell("base", 0, 100))
        o = self.options
        for reference, before in ((BASE, self.before), (CONTROL, control)):
            whole = find_transition(before, restored, o.margin, o.confidence)
            yield self._transition(run, reference, "all", whole, steps)
            for number, seed in enumerate(self.base.seeds):
                one = before if reference == BASE else control[[number]]
                found = find_transition(one, restored[[number]], o.margin, o.confidence)
                yield self._transition(run, reference, str(seed), found, steps)

    def _transition(
        self, run: RunName, reference: str, seed: str, found: Transition, steps: Sequence[int]
    ) -> Row:
        return {
            "domain": run[0],
            "group": run[1],
            "reference": reference,
            "seed": seed,
            "seeds": len(self.base.seeds) if seed == "all" else 1,
            "n": len(self.before),
            "seen": found.seen,
            "step": None if found.at is None else steps[found.at],
            "earliest": None if found.earliest is None else steps[found.earliest],
            "latest": None if found.at is None else steps[found.at],
            "lasts": found.lasts,
            "p_corrected": float(found.p.min()),
        }


def _text_measures(kinds: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Name of each likelihood, and the kinds of text it is about, of those measured."""
    held = tuple(kind for kind in TEXTS if kind in kinds)
    measures: list[tuple[str, tuple[str, ...]]] = [
        (f"{kind}_bits", (kind,)) for kind in (*held, "instruction") if kind in kinds
    ]
    return [("heldout_bits", held), *measures] if held else measures

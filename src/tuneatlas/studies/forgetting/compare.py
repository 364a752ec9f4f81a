"""From the answers of every model of every run to the numbers of the forgetting study.

The study is "Pattern Shifting or Knowledge Losing?" (Zhang et al. 2024). Shares, differences
and their intervals are fractions of 1; likelihoods are in bits per byte.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.statistics.manipulation import RESTORED, Bounds, base_checks, check
from tuneatlas.statistics.metrics import plain
from tuneatlas.statistics.power import answer_variance, sensitivity
from tuneatlas.statistics.tests import mcnemar
from tuneatlas.studies.forgetting.chance import chance_rows
from tuneatlas.studies.forgetting.fates import FATES
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.stages import (
    FAMILIES,
    corrections,
    stage_rows,
    test_rows,
    transition_rows,
)
from tuneatlas.studies.forgetting.study import NOT_KNOWN, Options, RunName, Study
from tuneatlas.studies.forgetting.tables import Cell, StageTable
from tuneatlas.tables import DOCUMENT_KINDS, Row


@dataclass(frozen=True)
class Forgetting:
    """The numbers of the study as tables of plain rows; ``scoped``: the same scope by scope."""

    design: Row
    overlap: Row
    control: list[Row]
    measures: list[Row]
    fates: list[Row]
    tests: list[Row]
    stages: list[Row]
    transitions: list[Row]
    scoped_tests: list[Row]
    scoped_stages: list[Row]
    scoped_transitions: list[Row]
    chance_adjusted: list[Row]
    corrections: list[Row]
    checks: list[Row]

    def metrics(self) -> dict[str, Any]:
        """All numbers as JSON-able values, rounded; a number that is not defined is null."""
        return {str(name): plain(rows) for name, rows in vars(self).items()}


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
    study = _Study(base, runs, options, np.random.default_rng(seed))
    # What came later draws from a generator of its own, and leaves the other numbers as they are.
    added, further = (
        Resampler(
            np.random.default_rng([seed, n]), options.draws, options.confidence, study.replicates
        )
        for n in (1, 2)
    )
    whole = {run: study.everything() for run in runs}
    scoped = {run: study.scopes(run) for run in runs}
    found = Forgetting(
        design={
            "domains": sorted({domain for domain, _ in runs}),
            "groups": list(dict.fromkeys(group for _, group in runs)),
            "seeds": _seeds(base),
            "replicates": _replicates(base),
            "steps": next(iter(runs.values())).steps("stages"),
            "items": len(base.ids),
            "options": sorted(set(map(int, base.options))),
            **asdict(options),
            "ood_roles": list(options.ood_roles),
            "corrected_over": FAMILIES,
            "answer_variance": study.answer_variance(),
        },
        overlap=dict(overlap),
        control=list(study.control()),
        measures=list(study.measures()),
        fates=[row for cell in study.cells() for row in study.fates(*cell)],
        tests=[row for run in whole.items() for row in test_rows(study, *run, study.draw)],
        stages=[row for run in whole.items() for row in stage_rows(study, *run)],
        transitions=[row for run in whole.items() for row in transition_rows(study, *run, further)],
        scoped_tests=[row for run in scoped.items() for row in test_rows(study, *run, added)],
        scoped_stages=[row for run in scoped.items() for row in stage_rows(study, *run)],
        scoped_transitions=[
            row for run in scoped.items() for row in transition_rows(study, *run, further)
        ],
        chance_adjusted=list(chance_rows(study, added)),
        corrections=[],
        checks=list(study.checks()),
    )
    tests = {"tests": found.tests, "scoped_tests": found.scoped_tests}
    return replace(found, corrections=list(corrections(tests, study.alpha)))


def _seeds(base: StageTable) -> list[int]:
    """The tuning seeds, of each replicate the same numbers."""
    return sorted({int(str(seed).rpartition(":")[2]) for seed in base.seeds})


def _replicates(base: StageTable) -> list[str]:
    """The replicates by name; none of a base model that has none."""
    return list(dict.fromkeys(n for s in base.seeds if (n := str(s).rpartition(":")[0])))


class _Study(Study):
    """What is measured of all models, with intervals drawn in the order of the tables."""

    def __init__(
        self,
        base: StageTable,
        runs: Mapping[RunName, StageTable],
        options: Options,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(base, runs, options)
        self.draw = Resampler(rng, options.draws, options.confidence, self.replicates)

    def control(self) -> Iterator[Row]:
        """The restored base model less the base model: knowledge, and each kind of text."""
        restored = self.base.correct(Cell("base", 0, 100))
        test = mcnemar(self.before, restored, self.replicates)
        change = self.draw.difference(restored, self.before)
        yield {
            "measure": "accuracy",
            "n": len(self.base.ids),
            "seeds": len(restored),
            **change,
            "per_seed": [float(v) for v in (restored.mean(axis=1) - self.before.mean(axis=-1))],
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

    def checks(self) -> Iterator[Row]:
        """Is the base model away from floor and ceiling, and does restoration leave it as it is?"""
        bounds = Bounds(**self.options.manipulation_checks)
        base, where = float(self.before.mean()), {"group": "base"}
        yield from base_checks(where, base, float((1 / self.base.options).mean()), bounds)
        restored = float(self.base.correct(Cell("base", 0, 100)).mean())
        yield check(RESTORED, where, restored, bounds.kept_share * base)

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

    def answer_variance(self) -> float:
        """Of actual forgetting at the last step, for another run's planning: ``power.Components``.

        The mean over runs; 0 of one base model.
        """
        found = []
        for run, table in self.runs.items():
            forgotten = self.answered(run, "stages", table.steps("stages")[-1])[1][
                "actually_forgotten"
            ]
            each = forgotten.reshape(self.replicates, -1, forgotten.shape[-1]).mean(axis=1)
            found.append(answer_variance(each))
        return float(np.mean(found))

    def fates(self, run: RunName, setting: str, step: int) -> Iterator[Row]:
        """How many questions went which way from the base to the restored model."""
        _, answered, known = self.answered(run, setting, step)
        level = self.options.confidence
        for fate in FATES:
            share = self.draw.mean(answered[fate])
            yield {
                "domain": run[0],
                "group": run[1],
                "setting": setting,
                "step": step,
                "fate": fate,
                "n": answered[fate].shape[-1],
                "seeds": len(answered[fate]),
                "counts": [int(v) for v in answered[fate].sum(axis=-1)],
                **share,
                **{
                    f"known_{name}": value
                    for name, value in (self.draw.mean(known[fate]) if known else NOT_KNOWN).items()
                },
                **sensitivity(share["low"], share["high"], level)._asdict(),
            }


def _text_measures(kinds: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Name of each likelihood, and the kinds of text it is about, of those measured."""
    held = tuple(kind for kind in DOCUMENT_KINDS if kind in kinds)
    measures: list[tuple[str, tuple[str, ...]]] = [
        (f"{kind}_bits", (kind,)) for kind in (*held, "instruction") if kind in kinds
    ]
    return [("heldout_bits", held), *measures] if held else measures

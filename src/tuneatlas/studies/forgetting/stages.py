"""Tests, stages and transitions along each run: over all questions, or scope by scope.

Tests are corrected by Holm's method over a family: one comparison at all steps of one run in one
setting. Where scopes are told apart the family holds all scopes too, as each is one more look.
No family reaches over runs; ``corrections`` says what would be left if they did.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from tuneatlas.statistics.power import sensitivity
from tuneatlas.statistics.tests import PairedTest, holm
from tuneatlas.studies.forgetting.fates import Transition, find_transitions, kind_of_loss
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.study import (
    BASE,
    COMPARISONS,
    CONTROL,
    SETTINGS,
    RunName,
    Scopes,
    Study,
)
from tuneatlas.studies.forgetting.tables import Cell
from tuneatlas.tables import Row

# What the p-values of a table are corrected over, each in one setting.
FAMILIES = {
    "tests": "one comparison at all steps of one run",
    "stages": "one comparison at all steps of one run",
    "transitions": "one reference at all steps of one run",
    "scoped_tests": "one comparison at all steps and in all scopes of one run",
    "scoped_stages": "one comparison at all steps and in all scopes of one run",
    "scoped_transitions": "one reference at all steps and in all scopes of one run",
}
Corrected = dict[str, dict[str, list[tuple[PairedTest, PairedTest]]]]


def compared(
    study: Study, run: RunName, setting: str, scopes: Scopes, seed: int | None = None
) -> Corrected:
    """By scope and comparison, at each step: the test as it is, and with p corrected."""
    found = {name: study.tests(run, setting, chosen, seed) for name, chosen in scopes.items()}
    p = {
        name: iter(holm([test.p for tests in found.values() for test in tests[name]]))
        for name in COMPARISONS
    }
    return {
        scope: {
            name: [(test, test._replace(p=float(next(p[name])))) for test in of_scope[name]]
            for name in COMPARISONS
        }
        for scope, of_scope in found.items()
    }


def test_rows(study: Study, run: RunName, scopes: Scopes, draw: Resampler) -> Iterator[Row]:
    """One row per test: counts over all seeds, p as it is and corrected; what it could have seen.

    The smallest change is that of the first test of its family, which is corrected for all others.
    """
    level = study.options.confidence
    for setting in SETTINGS:
        steps = study.runs[run].steps(setting)
        looks = len(steps) * len(scopes)
        for scope, tests in compared(study, run, setting, scopes).items():
            for name, pairs in tests.items():
                before, after = COMPARISONS[name]
                for step, (test, corrected) in zip(steps, pairs, strict=True):
                    paths = study.paths(run, setting, step)
                    ends = (getattr(paths, part)[..., scopes[scope]] for part in (after, before))
                    change = draw.difference(*ends)
                    yield {
                        **_where(run, scope),
                        "setting": setting,
                        "step": step,
                        "comparison": name,
                        "n": int(scopes[scope].sum()),
                        "seeds": len(paths.tuned),
                        "lost": test.lost,
                        "gained": test.gained,
                        **change,
                        "p": test.p,
                        "p_corrected": corrected.p,
                        **sensitivity(change["low"], change["high"], level, looks=looks)._asdict(),
                    }


def stage_rows(study: Study, run: RunName, scopes: Scopes) -> Iterator[Row]:
    """The stage of each step, over all seeds and for each."""
    for setting in SETTINGS:
        steps = study.runs[run].steps(setting)
        seeds = range(len(study.base.seeds))
        pooled, *single = (_stages(study, run, setting, scopes, i) for i in (None, *seeds))
        for scope in scopes:
            for number, step in enumerate(steps):
                yield {
                    **_where(run, scope),
                    "setting": setting,
                    "step": step,
                    "stage": pooled[scope][number],
                    "per_seed": [stages[scope][number] for stages in single],
                }


def _stages(
    study: Study, run: RunName, setting: str, scopes: Scopes, seed: int | None
) -> dict[str, list[str]]:
    stages = {}
    for scope, tests in compared(study, run, setting, scopes, seed).items():
        steps = zip(
            tests["base to tuned"],
            tests["tuned to restored"],
            tests["base to restored"],
            strict=True,
        )
        stages[scope] = [
            kind_of_loss(tuned, recovery, restored, study.alpha)
            for (_, tuned), (_, recovery), (_, restored) in steps
        ]
    return stages


def transition_rows(study: Study, run: RunName, scopes: Scopes, draw: Resampler) -> Iterator[Row]:
    """The transition of a run, against the base model and against the restored one.

    Its interval is drawn, with items and replicates, or items and seeds of the one base model.
    """
    table = study.runs[run]
    steps = table.steps("stages")
    restored = np.stack([table.correct(Cell("stages", s, 100)) for s in steps], axis=1)
    control = study.base.correct(Cell("base", 0, 100))
    o = study.options
    for reference, before in ((BASE, study.before), (CONTROL, control)):
        found = {"all": (before, restored)}
        for number, seed in enumerate(study.base.seeds):
            one = before if before.ndim == 1 else before[[number]]
            found[str(seed)] = (one, restored[[number]])
        for name, (first, second) in found.items():
            parts = {scope: (first[..., c], second[..., c]) for scope, c in scopes.items()}
            replicates = study.replicates if name == "all" else 1
            transitions = find_transitions(parts, o.confidence, replicates)
            for scope, transition in transitions.items():
                one, two = parts[scope]
                losses = np.atleast_2d(np.asarray(one, dtype=np.int64))[:, None] - two
                drawn = draw.first_step(losses, o.margin, replicates)
                yield {
                    **_where(run, scope),
                    "reference": reference,
                    "seed": name,
                    "seeds": len(second),
                    "n": int(scopes[scope].sum()),
                    **_transition(transition, drawn, steps),
                }


def _transition(
    found: Transition, drawn: tuple[int | None, int | None], steps: Sequence[int]
) -> Row:
    """A transition as steps, with the ends of the interval ``drawn``, about the step found."""
    low, high = around(drawn, found.at)
    return {
        "seen": found.seen,
        "step": None if found.at is None else steps[found.at],
        "earliest": None if low is None else steps[low],
        "latest": None if high is None else steps[high],
        "lasts": found.lasts,
        "p_corrected": found.p_loss,
    }


def around(drawn: tuple[int | None, int | None], at: int | None) -> tuple[int | None, int | None]:
    """The ends of a drawn interval about the step found; None: not within the run."""
    low, high = drawn
    if at is None:
        return low, None
    return at if low is None else min(low, at), None if high is None else max(high, at)


def _where(run: RunName, scope: str) -> Row:
    where: Row = {"domain": run[0], "group": run[1]}
    return where | {"scope": scope} if scope else where


def corrections(tables: Mapping[str, Sequence[Row]], alpha: float) -> Iterator[Row]:
    """How many tests are below ``alpha``: as they are, corrected, and corrected over all runs."""
    key = itemgetter("setting", "comparison")
    for table, rows in tables.items():
        for (setting, comparison), same in groupby(sorted(rows, key=key), key):
            tests = list(same)
            whole = holm([row["p"] for row in tests])
            yield {
                "table": table,
                "setting": setting,
                "comparison": comparison,
                "families": len({(row["domain"], row["group"]) for row in tests}),
                "tests": len(tests),
                "below": sum(row["p"] <= alpha for row in tests),
                "below_corrected": sum(row["p_corrected"] <= alpha for row in tests),
                "below_over_runs": int((whole <= alpha).sum()),
            }

"""Paired tests: McNemar, the exact sign test behind it, and Holm's correction."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tuneatlas.statistics.bootstrap import Floats


class PairedTest(NamedTuple):
    """Discordant answers of two models to the same items, and the p-value of McNemar's test."""

    lost: int
    gained: int
    difference: float
    p: float


def mcnemar(before: ArrayLike, after: ArrayLike) -> PairedTest:
    """Are ``before`` (items,) and ``after`` (seeds, items) equally often right? Two-sided.

    ``lost`` counts answers that turn from right to wrong, over all seeds. For one seed this is
    McNemar's exact test. With several, an item's answers are one cluster (Durkalski et al.
    2003): under equality an item's sum of changes is as likely to have the other sign, and
    the p-value is the exact share of sign changes that give a difference at least as large.
    """
    first = np.asarray(before, dtype=np.int64)
    second = np.atleast_2d(np.asarray(after, dtype=np.int64))
    changes = (first - second).sum(axis=0)
    lost = int(((first == 1) & (second == 0)).sum())
    gained = int(((first == 0) & (second == 1)).sum())
    return PairedTest(lost, gained, float(changes.mean() / len(second)), sign_test(changes))


def sign_test(changes: ArrayLike) -> float:
    """Two-sided exact p of the sum of integer ``changes`` under random signs."""
    values = np.abs(np.asarray(changes, dtype=np.int64))
    total = abs(int(np.asarray(changes, dtype=np.int64).sum()))
    spread = np.ones(1)
    for size in range(1, int(values.max(initial=0)) + 1):
        count = int((values == size).sum())
        # The sum of `count` changes of this size lies at size * (2 * successes - count).
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        spread = np.convolve(spread, steps)
    sums = np.abs(np.arange(len(spread)) - len(spread) // 2)
    return min(1.0, float(spread[sums >= total].sum()))


def holm(p_values: ArrayLike) -> Floats:
    """P-values corrected for looking at all of them (Holm 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, raised)
    return corrected

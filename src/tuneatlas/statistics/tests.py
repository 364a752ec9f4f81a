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


def mcnemar(before: ArrayLike, after: ArrayLike, replicates: int = 1) -> PairedTest:
    """Are ``before`` (items,) and ``after`` (seeds, items) equally often right? Two-sided.

    ``lost`` counts answers that turn from right to wrong, over all seeds. For one seed this is
    McNemar's exact test. With several, an item's answers are one cluster (Durkalski et al.
    2003): under equality an item's sum of changes is as likely to have the other sign, and
    the p-value is the exact share of sign changes that give a difference at least as large.
    Of several ``replicates`` rows are seeds of each in turn, ``before`` has such rows too, and the
    test is a t test of the mean change (`replicated_error`).
    """
    first = np.asarray(before, dtype=np.int64)
    second = np.atleast_2d(np.asarray(after, dtype=np.int64))
    each = np.atleast_2d(first - second)
    changes = each.sum(axis=0)
    lost = int(((first == 1) & (second == 0)).sum())
    gained = int(((first == 0) & (second == 1)).sum())
    value = float(changes.mean() / len(second))
    if replicates == 1:
        return PairedTest(lost, gained, value, sign_test(changes))
    error, freedom = replicated_error(each, replicates)
    p = 2 * float(stats.t.sf(abs(value) / error, freedom)) if error else float(value == 0)
    return PairedTest(lost, gained, value, p)


def replicated_error(values: ArrayLike, replicates: int) -> tuple[float, float]:
    """Standard error of the mean of ``values`` (rows, items), and its degrees of freedom.

    Rows are seeds of each replicate in turn. Items are crossed with replicates: the variances of
    their means are added, with the degrees of freedom of Satterthwaite (1946).
    """
    table = np.asarray(values, dtype=np.float64)
    items = table.shape[1]
    means, each = table.mean(axis=0), table.mean(axis=1).reshape(replicates, -1).mean(axis=1)
    squares = float(((means - means.mean()) ** 2).sum())
    of_items = squares / (items * (items - 1)) if items > 1 else 0.0
    of_replicates = float(each.var(ddof=1)) / replicates
    spread = of_replicates**2 / (replicates - 1) + of_items**2 / max(items - 1, 1)
    total = of_items + of_replicates
    return total**0.5, total**2 / spread if spread else 1.0


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

"""Intervals of what is derived from means: ratios of them, correlations of two kinds of events."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from tuneatlas.statistics.bootstrap import CONFIDENCE, DRAWS, Interval, Replicates
from tuneatlas.statistics.intervals import mean_interval, wilson_interval

# By how much a mean is moved to see what depends on it.
NUDGE = 1e-6


def derived_interval(
    function: Callable[..., float],
    tables: Sequence[ArrayLike],
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    clusters: Sequence[Hashable] | None = None,
    replicates: Replicates = 1,
) -> Interval:
    """``function`` of the means of ``tables``, each (rows, items), with an interval.

    By the delta method: items and rows are drawn as in `mean_interval`, and what a draw changes in
    the means changes the function by its slope there. So a draw in which a divisor is all but 0
    does no harm; of few events the interval is rough.
    """
    each = [np.atleast_2d(np.asarray(table, dtype=np.float64)) for table in tables]
    means = np.array([table.mean() for table in each])
    steps = NUDGE * np.eye(len(means))
    slopes = [(function(*means + s) - function(*means - s)) / (2 * NUDGE) for s in steps]
    influence = sum(k * (t - m) for k, t, m in zip(slopes, each, means, strict=True))
    found = mean_interval(influence, rng, draws, confidence, clusters, replicates)
    value = float(function(*means))
    return Interval(value, value + found.low, value + found.high)


def ratio_interval(
    part: ArrayLike,
    whole: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    clusters: Sequence[Hashable] | None = None,
    replicates: Replicates = 1,
) -> Interval | None:
    """Sum of ``part`` over that of ``whole``, both (rows, items); None if the whole is not above 0.

    Where it is 0 or 1 throughout, resampling cannot vary, and the Wilson interval over the
    clusters in ``whole`` stands in, as in `accuracy_interval`.
    """
    one, all_of = (np.atleast_2d(np.asarray(t, dtype=np.float64)) for t in (part, whole))
    if all_of.sum() <= 0:
        return None
    if (one == 0).all() or (one == all_of).all():
        names = range(all_of.shape[1]) if clusters is None else clusters
        there = {name for name, some in zip(names, all_of.sum(axis=0), strict=True) if some}
        return wilson_interval(len(there) if one.any() else 0, len(there), confidence)
    tables = (one, all_of)
    return derived_interval(
        lambda a, b: a / b, tables, rng, draws, confidence, clusters, replicates
    )


def within(found: Interval | None, least: float, most: float) -> Interval | None:
    """An interval cut where there can be no value; None stays None."""
    return found and Interval(found.value, max(found.low, least), min(found.high, most))


def phi(both: float, first: float, second: float, neither: float) -> float:
    """The correlation of two events from the shares of both, of one alone, and of neither."""
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    return float((both * neither - first * second) / margins**0.5) if margins > 0 else 0.0

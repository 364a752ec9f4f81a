"""Intervals of means, shares and paired differences, over items and seeds.

Shapes are in (seeds, items) order. Every random draw comes from the generator passed in.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tuneatlas.statistics.bootstrap import (
    CONFIDENCE,
    DRAWS,
    Interval,
    Replicates,
    average_rows,
    percentile_interval,
    resample_items,
)


def mean_interval(
    values: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    clusters: Sequence[Hashable] | None = None,
    replicates: Replicates = 1,
) -> Interval:
    """Mean of ``values`` (items,) or (seeds, items) with a bootstrap percentile interval.

    With several seeds both factors are resampled: an item keeps its answers of all seeds
    (it is the cluster), and seeds are drawn too, because the conclusion is about the
    training method and not about these runs (Owen 2007, "The pigeonhole bootstrap"). Items of
    one of the ``clusters`` (items,), such as a question that stands twice, are drawn together.
    Of several ``replicates`` rows are seeds of each (`average_rows`).
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.size == 0:
        raise ValueError("no items to average")
    means = resample_items(table, draws, rng, clusters)
    found = average_rows(means, table.mean(axis=1), replicates, rng)
    return percentile_interval(float(table.mean()), found, confidence)


def wilson_interval(right: int, items: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson score interval of ``right`` out of ``items``."""
    low, high = stats.binomtest(right, items).proportion_ci(confidence, method="wilson")
    return Interval(right / items, float(low), float(high))


def accuracy_interval(
    correct: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    clusters: Sequence[Hashable] | None = None,
    replicates: Replicates = 1,
) -> Interval:
    """Share of right answers, ``correct`` (items,) or (seeds, items), with its interval.

    Where every answer is right, or every answer is wrong, resampling cannot vary and the
    Wilson interval over the items (of which ``clusters`` are one each) stands in.
    """
    table = np.atleast_2d(np.asarray(correct, dtype=bool))
    if table.size and (table.all() or not table.any()):
        items = table.shape[1] if clusters is None else len(set(clusters))
        return wilson_interval(items if table.all() else 0, items, confidence)
    found = mean_interval(table, rng, draws, confidence, clusters, replicates)
    return Interval(found.value, max(found.low, 0.0), min(found.high, 1.0))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    replicates: Replicates = 1,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Mean of ``first`` - ``second`` on the same (seeds, items), paired by seed and item.

    ``clusters`` and ``replicates`` are as in `mean_interval`.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(f"not paired: shapes {one.shape} and {two.shape}")
    return mean_interval(one - two, rng, draws, confidence, clusters, replicates)

"""The statistics of the studies: bootstrap intervals, agreement of two models, partial correlation.

Shapes are in (seeds, items) order. Every random draw comes from the generator passed in.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

DRAWS = 5000
CONFIDENCE = 0.95
TIE_DECIMALS = 10
EPSILON = 1e-12
# Resampled indices held at once: bounds memory to about 64 MB whatever the number of items.
CHUNK = 4_000_000


class Interval(NamedTuple):
    """A value and the two ends of its interval, in the unit of the value."""

    value: float
    low: float
    high: float


class Correlation(NamedTuple):
    """A rank correlation: interval, points, independent clusters, permutation p-value."""

    value: float
    low: float
    high: float
    points: int
    clusters: int
    p: float


def resample_items(values: ArrayLike, draws: int, rng: np.random.Generator) -> Floats:
    """Means of ``values`` (rows, items) over resampled items, as (draws, rows).

    One resample serves all rows, so differences between rows are paired by item.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    rows, items = table.shape
    means = np.empty((draws, rows))
    step = max(1, CHUNK // items)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        picks = rng.integers(items, size=(size, items)) + items * np.arange(size)[:, None]
        counts = np.bincount(picks.ravel(), minlength=size * items).reshape(size, items)
        means[start : start + size] = counts.astype(np.float64) @ table.T / items
    return means


def resample_seeds(seeds: int, draws: int, rng: np.random.Generator) -> Floats:
    """Weights (draws, seeds) of seeds drawn with replacement; each row sums to 1."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds


def percentile_interval(value: float, draws: ArrayLike, confidence: float) -> Interval:
    """The central ``confidence`` share of bootstrap ``draws`` around ``value``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(draws), [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def mean_interval(
    values: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of ``values`` (items,) or (seeds, items) with a bootstrap percentile interval.

    With several seeds both factors are resampled: an item keeps its answers of all seeds
    (it is the cluster), and seeds are drawn too, because the conclusion is about the
    training method and not about these runs (Owen 2007, "The pigeonhole bootstrap").
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.size == 0:
        raise ValueError("no items to average")
    means = resample_items(table, draws, rng)
    weights = resample_seeds(len(table), draws, rng)
    return percentile_interval(float(table.mean()), (means * weights).sum(axis=1), confidence)


def wilson_interval(right: int, items: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson score interval of ``right`` out of ``items``."""
    z2 = float(stats.norm.ppf((1 + confidence) / 2)) ** 2
    share = right / items
    centre = (share + z2 / (2 * items)) / (1 + z2 / items)
    half = np.sqrt(z2 * (share * (1 - share) / items + z2 / (4 * items**2))) / (1 + z2 / items)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def accuracy_interval(
    correct: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Share of right answers, ``correct`` (items,) or (seeds, items), with its interval.

    Where every answer is right, or every answer is wrong, resampling cannot vary and the
    Wilson interval over the items stands in.
    """
    table = np.atleast_2d(np.asarray(correct, dtype=bool))
    if table.size and (table.all() or not table.any()):
        items = table.shape[1]
        return wilson_interval(items if table.all() else 0, items, confidence)
    return mean_interval(table, rng, draws, confidence)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of ``first`` - ``second`` on the same (seeds, items), paired by seed and item."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(f"not paired: shapes {one.shape} and {two.shape}")
    return mean_interval(one - two, rng, draws, confidence)


def kl_divergence(base: ArrayLike, tuned: ArrayLike, epsilon: float = EPSILON) -> Floats:
    """KL(base || tuned) per item in nats, from option probabilities (items, options).

    Probabilities are raised to at least ``epsilon`` and made to sum to 1 again, so that an
    option the tuned model rules out costs at most -log(epsilon) and the result is never
    negative beyond rounding.
    """
    p, q = (_distribution(probs, epsilon) for probs in (base, tuned))
    return np.asarray((p * np.log(p / q)).sum(axis=1), dtype=np.float64)


def _distribution(probs: ArrayLike, epsilon: float) -> Floats:
    raised = np.maximum(np.asarray(probs, dtype=np.float64), epsilon)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def rank_correlation(base: ArrayLike, tuned: ArrayLike) -> Floats:
    """Pearson correlation of the option ranks before and after tuning, per item in [-1, 1].

    Inputs are (items, options). Tied options share their mean rank; an item whose options
    are all tied on one side has no correlation and counts as 0 (Ren et al. 2024).
    """
    x, y = (_centred_ranks(np.asarray(probs, dtype=np.float64), axis=1) for probs in (base, tuned))
    return _cosine(x, y)


def _centred_ranks(values: Floats, axis: int) -> Floats:
    ranks = stats.rankdata(values, axis=axis)
    return np.asarray(ranks - ranks.mean(axis=axis, keepdims=True), dtype=np.float64)


def _cosine(x: Floats, y: Floats, undefined: float = 0.0) -> Floats:
    """Cosine of the last axis of ``x`` and ``y``, ``undefined`` where a side is all 0."""
    length = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    cosine = np.divide(
        (x * y).sum(axis=-1), length, out=np.full(length.shape, undefined), where=length > 1e-12
    )
    return np.asarray(np.clip(cosine, -1, 1), dtype=np.float64)


def partial_spearman(
    x: ArrayLike,
    y: ArrayLike,
    control: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    strata: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Correlation:
    """Spearman correlation of ``x`` and ``y`` given ``control``, all (points,).

    The value correlates what is left of the ranks of ``x`` and ``y`` after regression on the
    ranks of ``control``. A constant control takes nothing away and costs no degree of freedom.

    The interval is Fisher's z with the standard error of Bonett and Wright (2000) for rank
    correlations, sqrt((1 + r^2 / 2) / (n - 3 - controls)). ``n`` counts ``clusters``, not
    points: runs of one setting under several seeds, or one model on several test sets, are
    not independent evidence. Where n - 3 - controls < 1 the interval is [-1, 1].
    A perfect r is drawn back by half of the smallest rank swap, so that it keeps an interval.

    With ``rng``, p is the two-sided share of ``draws`` permutations of whole clusters of ``y``
    within ``strata`` (clusters of one size) whose correlation is at least as far from 0.
    An undefined correlation (``x`` or ``y`` fixed by the control) is NaN on [-1, 1].
    """
    # Equal numbers that were summed in another order must tie: ranks see the last bit.
    xs, ys, zs = (
        np.asarray(np.round(np.asarray(values), TIE_DECIMALS), dtype=np.float64)
        for values in (x, y, control)
    )
    names = list(range(len(xs))) if clusters is None else list(clusters)
    number = len(set(names))
    residual_x, residual_y, controls = _rank_residuals(xs, ys, zs)
    value = float(_cosine(residual_x, residual_y, np.nan))
    if np.isnan(value):
        return Correlation(value, -1.0, 1.0, len(xs), number, float("nan"))
    p = float("nan")
    if rng is not None:
        layers = [0] * len(xs) if strata is None else list(strata)
        orders = _permute_clusters(names, layers, draws, rng)
        # The control is constant within a stratum or follows the point: permute y alone.
        ranks = _centred_ranks(ys, axis=0)[orders]
        permuted = _cosine(residual_x, _without(ranks, _centred_ranks(zs, axis=0)))
        p = (1 + int((np.abs(permuted) >= abs(value) - 1e-12).sum())) / (1 + draws)
    low, high = _fisher_interval(value, number, controls, confidence)
    return Correlation(value, low, high, len(xs), number, p)


def _rank_residuals(x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, int]:
    ranks = _centred_ranks(z, axis=0)
    controls = int(bool(ranks.any()))
    x_left, y_left = (_without(_centred_ranks(values, axis=0), ranks) for values in (x, y))
    return x_left, y_left, controls


def _without(values: Floats, control: Floats) -> Floats:
    """``values`` (..., points) less their projection on a centred ``control`` (points,)."""
    length = float(control @ control)
    if length == 0:
        return values
    left = values - np.multiply.outer(values @ control / length, control)
    # What rounding leaves of a variable that the control explains whole is not evidence.
    left[np.abs(left) < 1e-9] = 0.0
    return left


def _fisher_interval(
    value: float, clusters: int, controls: int, confidence: float
) -> tuple[float, float]:
    freedom = clusters - 3 - controls
    if freedom < 1:
        return -1.0, 1.0
    limit = 1 - 6 / (clusters * (clusters**2 - 1))
    r = float(np.clip(value, -limit, limit))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * np.sqrt((1 + r * r / 2) / freedom)
    low, high = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return min(float(low), value), max(float(high), value)


def _permute_clusters(
    clusters: Sequence[Hashable],
    strata: Sequence[Hashable],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Orders (draws, points) that exchange whole clusters of equal size within a stratum."""
    members: dict[tuple[Hashable, Hashable], list[int]] = {}
    for point, key in enumerate(zip(strata, clusters, strict=True)):
        members.setdefault(key, []).append(point)
    # Clusters are exchangeable where the stratum and the number of points agree.
    layers: dict[tuple[Hashable, int], list[list[int]]] = {}
    for (stratum, _), points in members.items():
        layers.setdefault((stratum, len(points)), []).append(points)
    orders = np.tile(np.arange(len(clusters)), (draws, 1))
    for blocks in layers.values():
        table = np.asarray(blocks)
        shuffled = rng.permuted(np.tile(np.arange(len(table)), (draws, 1)), axis=1)
        orders[:, table.ravel()] = table[shuffled].reshape(draws, -1)
    return orders

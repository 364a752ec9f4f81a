"""Rank correlations: of two models' options, and of two measures given a third."""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tuneatlas.statistics.bootstrap import CONFIDENCE, DRAWS, Floats

TIE_DECIMALS = 10
# Ranks of options: tied ones share their mean rank, or (dense) one rank without a gap after it.
Ranks = Literal["mean", "dense"]
# What of the residuals is correlated: themselves, or their ranks.
Residuals = Literal["pearson", "spearman"]


class Correlation(NamedTuple):
    """A rank correlation: interval, points, independent clusters, permutation p-value."""

    value: float
    low: float
    high: float
    points: int
    clusters: int
    p: float


def rank_correlation(base: ArrayLike, tuned: ArrayLike, ranks: Ranks = "mean") -> Floats:
    """Pearson correlation of the option ranks before and after tuning, per item in [-1, 1].

    Inputs are (items, options). Tied options share their mean rank, or with ``dense`` one rank, as
    in Ren et al. 2024; an item whose options are all tied on one side has no correlation and counts
    as 0 (Ren et al. 2024).
    """
    x, y = (
        _centred_ranks(np.asarray(probs, dtype=np.float64), axis=1, ranks=ranks)
        for probs in (base, tuned)
    )
    return _cosine(x, y)


def _centred_ranks(values: Floats, axis: int, ranks: Ranks = "mean") -> Floats:
    found = stats.rankdata(values, axis=axis, method="dense" if ranks == "dense" else "average")
    return np.asarray(found - found.mean(axis=axis, keepdims=True), dtype=np.float64)


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
    residuals: Residuals = "pearson",
) -> Correlation:
    """Spearman correlation of ``x`` and ``y`` given ``control``, all (points,).

    The value correlates what is left of the ranks of ``x`` and ``y`` after regression on the
    ranks of ``control``: itself, which is the partial correlation of textbooks, or (``spearman``)
    its ranks, as Ren et al. 2024 do. A constant control takes nothing away and costs no degree of
    freedom.

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
    if residuals == "spearman":
        residual_x, residual_y = _ranked(residual_x), _ranked(residual_y)
    value = float(_cosine(residual_x, residual_y, np.nan))
    if np.isnan(value):
        return Correlation(value, -1.0, 1.0, len(xs), number, float("nan"))
    p = float("nan")
    if rng is not None:
        layers = [0] * len(xs) if strata is None else list(strata)
        orders = _permute_clusters(names, layers, draws, rng)
        # The control is constant within a stratum or follows the point: permute y alone.
        ranks = _centred_ranks(ys, axis=0)[orders]
        left = _without(ranks, _centred_ranks(zs, axis=0))
        permuted = _cosine(residual_x, _ranked(left) if residuals == "spearman" else left)
        p = (1 + int((np.abs(permuted) >= abs(value) - 1e-12).sum())) / (1 + draws)
    low, high = _fisher_interval(value, number, controls, confidence)
    return Correlation(value, low, high, len(xs), number, p)


def mean_correlation(each: Sequence[Correlation], confidence: float = CONFIDENCE) -> Correlation:
    """The mean of the replicates' correlations; that of one as it is.

    What all replicates are tuned on is the same, so that its clusters do not become more with
    replicates: on Fisher's scale the error of one correlation stays, and that of their mean
    (Student's t) is added.
    p is the largest of theirs. Undefined where one is.
    """
    if len(each) == 1:
        return each[0]
    first, number = each[0], len(each)
    points, p = sum(one.points for one in each), max(one.p for one in each)
    if any(np.isnan(one.value) for one in each):
        return Correlation(float("nan"), -1.0, 1.0, points, first.clusters, float("nan"))
    z = np.arctanh([_inside(one.value, one.clusters) for one in each])
    value = float(np.mean([one.value for one in each]))
    if any((one.low, one.high) == (-1.0, 1.0) for one in each):
        return Correlation(value, -1.0, 1.0, points, first.clusters, p)
    halves = [(np.arctanh(one.high) - np.arctanh(one.low)) / 2 for one in each]
    quantile = float(stats.t.ppf((1 + confidence) / 2, number - 1))
    half = float(np.hypot(np.mean(halves), quantile * z.std(ddof=1) / np.sqrt(number)))
    middle = np.arctanh(_inside(value, first.clusters))
    low, high = float(np.tanh(middle - half)), float(np.tanh(middle + half))
    return Correlation(value, min(low, value), max(high, value), points, first.clusters, p)


def _ranked(left: Floats) -> Floats:
    """Centred ranks along the last axis; what differs by rounding alone ties."""
    return _centred_ranks(np.round(left, TIE_DECIMALS), axis=-1)


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
    r = _inside(value, clusters)
    half = float(stats.norm.ppf((1 + confidence) / 2)) * np.sqrt((1 + r * r / 2) / freedom)
    low, high = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return min(float(low), value), max(float(high), value)


def _inside(value: float, clusters: int) -> float:
    """A perfect correlation drawn back by half of the smallest rank swap."""
    limit = 1 - 6 / (clusters * (clusters**2 - 1)) if clusters > 1 else 0.0
    return float(np.clip(value, -limit, limit))


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

"""Bootstrap resampling: items, seeds, and the interval that the draws give.

Shapes are in (seeds, items) order. Every random draw comes from the generator passed in.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# How many replicates rows are of, as many of each in turn; or the replicate of each row.
Replicates = int | Sequence[Hashable]
DRAWS = 5000
CONFIDENCE = 0.95
# Resampled indices held at once: bounds memory to about 64 MB whatever the number of items.
CHUNK = 4_000_000


class Interval(NamedTuple):
    """A value and the two ends of its interval, in the unit of the value."""

    value: float
    low: float
    high: float


def resample_items(
    values: ArrayLike,
    draws: int,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
) -> Floats:
    """Means of ``values`` (rows, items) over resampled items, as (draws, rows).

    One resample serves all rows, so differences between rows are paired by item. Items of one of
    the ``clusters`` (items,) are drawn together; without them each item is its own.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    names = range(table.shape[1]) if clusters is None else clusters
    [means] = resample_blocks([table], [names], draws, rng)
    return means


def resample_blocks(
    blocks: Sequence[Floats],
    clusters: Sequence[Sequence[Hashable]],
    draws: int,
    rng: np.random.Generator,
) -> list[Floats]:
    """Means of each of ``blocks`` (rows, items) over resampled clusters of items, (draws, rows).

    ``clusters`` name the cluster of each item of each block. Blocks without a common cluster are
    resampled one by one, as strata. Of those that share some, one draw of clusters serves all, and
    the mean of a block is that of its items in the draw, however many these are; where there are
    none, that of all its items.
    """
    found = [np.tile(block.mean(axis=1), (draws, 1)) for block in blocks]
    for linked in _linked(clusters):
        places = {name: n for n, name in enumerate(dict.fromkeys(_names(clusters, linked)))}
        sums, sizes = [], []
        for block in linked:
            at = [places[name] for name in clusters[block]]
            sums.append(_sum_by_cluster(blocks[block], at, len(places)))
            sizes.append(np.bincount(at, minlength=len(places)).astype(np.float64))
        step = max(1, CHUNK // len(places))
        for start in range(0, draws, step):
            counts = _draw_counts(min(step, draws - start), len(places), rng)
            for block, total, size in zip(linked, sums, sizes, strict=True):
                items = (counts @ size)[:, None]
                means = found[block][start : start + len(counts)]
                np.divide(counts @ total.T, items, out=means, where=items > 0)
    return found


def _draw_counts(draws: int, clusters: int, rng: np.random.Generator) -> Floats:
    """How often each cluster is in each draw, as (draws, clusters)."""
    picks = rng.integers(clusters, size=(draws, clusters)) + clusters * np.arange(draws)[:, None]
    counts = np.bincount(picks.ravel(), minlength=draws * clusters)
    return counts.reshape(draws, clusters).astype(np.float64)


def _sum_by_cluster(values: Floats, at: Sequence[int], clusters: int) -> Floats:
    """Sums of ``values`` (rows, items) over the items of each cluster, as (rows, clusters)."""
    sums = np.zeros((len(values), clusters))
    np.add.at(sums.T, np.asarray(at), values.T)
    return sums


def _names(clusters: Sequence[Sequence[Hashable]], blocks: Sequence[int]) -> Iterator[Hashable]:
    return (name for block in blocks for name in clusters[block])


def _linked(clusters: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Blocks by whether they share clusters, directly or through others, in their order."""
    parts: list[tuple[set[Hashable], list[int]]] = []
    for block, names in enumerate(clusters):
        mine, members = set(names), [block]
        for part in [part for part in parts if part[0] & mine]:
            parts.remove(part)
            mine, members = mine | part[0], part[1] + members
        parts.append((mine, members))
    return sorted(sorted(members) for _, members in parts)


def resample_seeds(seeds: int, draws: int, rng: np.random.Generator) -> Floats:
    """Weights (draws, seeds) of seeds drawn with replacement; each row sums to 1."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds


def replicate_weights(replicates: int, draws: int, rng: np.random.Generator) -> Floats:
    """Weights (draws, replicates), rows sum to 0, of what a draw adds for other replicates.

    The weighted sum of the replicates' numbers has the distribution that their mean's error has:
    Student's t with ``replicates`` - 1 degrees of freedom times their standard error. Drawn with
    replacement, as the Multi-Bootstrap does (Sellam et al. 2022), two to five replicates have few
    different means, their spread is short by (n - 1) / n, and intervals as of the normal
    distribution: they cover far less than they say.
    """
    freedom = replicates - 1
    normal = rng.standard_normal((draws, replicates))
    normal -= normal.mean(axis=1, keepdims=True)
    stretch = np.sqrt(freedom / rng.chisquare(freedom, size=(draws, 1)))
    return np.asarray(normal * stretch / np.sqrt(replicates * freedom), dtype=np.float64)


def average_rows(
    draws: Floats, values: ArrayLike, replicates: Replicates, rng: np.random.Generator
) -> Floats:
    """Bootstrap draws (draws,) of the mean over rows, from those of each row, (draws, rows).

    Rows are seeds, drawn with replacement; or seeds of several replicates, whose ``values``
    (rows,) say what other replicates would add. Seeds come with theirs.
    """
    rows = draws.shape[1]
    each = _of_replicates(np.asarray(values, dtype=np.float64), replicates)
    if len(each) == 1:
        return np.asarray((draws * resample_seeds(rows, len(draws), rng)).sum(axis=1))
    return np.asarray(draws.mean(axis=1) + replicate_weights(len(each), len(draws), rng) @ each)


def _of_replicates(values: Floats, replicates: Replicates) -> Floats:
    """Means of ``values`` (rows,) over the rows of each replicate."""
    if isinstance(replicates, int):
        return np.asarray(values.reshape(replicates, -1).mean(axis=1))
    rows: dict[Hashable, list[float]] = {}
    for name, value in zip(replicates, values, strict=True):
        rows.setdefault(name, []).append(value)
    return np.array([np.mean(own) for own in rows.values()])


def percentile_interval(value: float, draws: ArrayLike, confidence: float) -> Interval:
    """The central ``confidence`` share of bootstrap ``draws`` around ``value``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.asarray(draws), [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))

"""Bootstrap resampling: items, seeds, and the interval that the draws give.

Shapes are in (seeds, items) order. Every random draw comes from the generator passed in.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
DRAWS = 5000
CONFIDENCE = 0.95
# Resampled indices held at once: bounds memory to about 64 MB whatever the number of items.
CHUNK = 4_000_000


class Interval(NamedTuple):
    """A value and the two ends of its interval, in the unit of the value."""

    value: float
    low: float
    high: float


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

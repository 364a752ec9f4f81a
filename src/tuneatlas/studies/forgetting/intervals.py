"""Means, paired differences and bits per byte, each with its bootstrap interval, as columns."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneatlas.statistics.bootstrap import Interval, percentile_interval, resample_seeds
from tuneatlas.statistics.intervals import mean_interval, paired_difference
from tuneatlas.tables import Row


@dataclass(frozen=True)
class Resampler:
    """How intervals are drawn: both items and seeds are resampled."""

    rng: np.random.Generator
    draws: int
    confidence: float

    def mean(self, values: Any) -> Row:
        """A mean over (seeds, items)."""
        return _columns(mean_interval(values, self.rng, self.draws, self.confidence))

    def difference(self, first: Any, second: Any) -> Row:
        """A difference over (seeds, items), paired; a model without seeds is one for all."""
        one, two = np.broadcast_arrays(np.atleast_2d(first), np.atleast_2d(second))
        return _columns(paired_difference(one, two, self.rng, self.draws, self.confidence))

    def bits(self, nats: Any, size: Any) -> Row:
        """Bits per byte, from nats (seeds, texts) and bytes (texts,) summed over texts."""
        table = np.vstack([nats, size])
        picks = self.rng.integers(table.shape[1], size=(self.draws, table.shape[1]))
        sums = table[:, picks].sum(axis=2)
        weights = resample_seeds(len(nats), self.draws, self.rng)
        draws = (sums[:-1].T * weights).sum(axis=1) / sums[-1] / math.log(2)
        value = float(np.sum(nats) / len(nats) / np.sum(size) / math.log(2))
        return _columns(percentile_interval(value, draws, self.confidence))


def _columns(interval: Interval) -> Row:
    return dict(interval._asdict())

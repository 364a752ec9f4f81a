"""Means, paired differences and bits per byte, each with its bootstrap interval, as columns."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneatlas.statistics.bootstrap import (
    Floats,
    Interval,
    average_rows,
    percentile_interval,
    replicate_weights,
)
from tuneatlas.statistics.intervals import mean_interval, paired_difference
from tuneatlas.tables import Row


@dataclass(frozen=True)
class Resampler:
    """How intervals are drawn: both items and seeds are resampled, or items and replicates.

    Of several replicates, seeds are those of each in turn (``statistics.bootstrap.average_rows``).
    """

    rng: np.random.Generator
    draws: int
    confidence: float
    replicates: int = 1

    def mean(self, values: Any) -> Row:
        """A mean over (seeds, items)."""
        return _columns(
            mean_interval(values, self.rng, self.draws, self.confidence, replicates=self.replicates)
        )

    def difference(self, first: Any, second: Any) -> Row:
        """A difference over (seeds, items), paired; a model without seeds is one for all."""
        one, two = np.broadcast_arrays(np.atleast_2d(first), np.atleast_2d(second))
        return _columns(
            paired_difference(one, two, self.rng, self.draws, self.confidence, self.replicates)
        )

    def bits(self, nats: Any, size: Any) -> Row:
        """Bits per byte, from nats (seeds, texts) and bytes (texts,) summed over texts."""
        table = np.vstack([nats, size])
        picks = self.rng.integers(table.shape[1], size=(self.draws, table.shape[1]))
        sums = table[:, picks].sum(axis=2)
        draws = self.average(sums[:-1].T, np.sum(nats, axis=1)) / sums[-1] / math.log(2)
        value = float(np.sum(nats) / len(nats) / np.sum(size) / math.log(2))
        return _columns(percentile_interval(value, draws, self.confidence))

    def average(self, draws: Floats, values: Any) -> Floats:
        """Draws of the mean over rows; see `average_rows`."""
        return average_rows(draws, values, self.replicates, self.rng)

    def first_step(
        self, losses: Any, margin: float, replicates: int | None = None
    ) -> tuple[int | None, int | None]:
        """Between which steps a loss of the margin begins, of losses (seeds, steps, items).

        In each draw, the same for all steps, it begins at the first step whose mean loss is at
        least ``margin``. None: in too many draws at no step. Items are drawn with one lost and one
        won beside them: without any change a loss is not ruled out. What other replicates would
        add is drawn too (`replicate_weights`), or other seeds of the one base model there is; of
        one training nothing is known of others, and what is found holds for it.
        """
        table = np.asarray(losses, dtype=np.float64)
        seeds, steps, items = table.shape
        mean = np.concatenate([table.mean(axis=0), np.tile([1.0, -1.0], (steps, 1))], axis=1)
        size = items + 2
        counts = self.rng.multinomial(size, np.full(size, 1 / size), size=self.draws) / items
        drawn = counts @ mean.T
        number = self.replicates if replicates is None else replicates
        if (clusters := number if number > 1 else seeds) > 1:
            each = table.mean(axis=2).reshape(clusters, -1, steps).mean(axis=1)
            drawn += replicate_weights(clusters, self.draws, self.rng) @ each
        reached = drawn >= margin
        first = np.where(reached.any(axis=1), reached.argmax(axis=1), steps)
        tail = (1 - self.confidence) / 2
        low = int(np.quantile(first, tail, method="lower"))
        high = int(np.quantile(first, 1 - tail, method="higher"))
        return (low if low < steps else None), (high if high < steps else None)


def _columns(interval: Interval) -> Row:
    return dict(interval._asdict())

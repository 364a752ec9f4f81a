"""BLEU-4 of a corpus as multi-bleu has it: unsmoothed, 0 to 100; and its bootstrap interval.

The counts of each pair of texts are kept apart, so that pairs can be drawn again.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuneatlas.statistics.bootstrap import (
    CHUNK,
    CONFIDENCE,
    DRAWS,
    Floats,
    Interval,
    average_rows,
    percentile_interval,
)

ORDERS = 4
# Of a pair: n-grams of the candidate that the reference has, and all of it, by n; both lengths.
SIZE = 2 * ORDERS + 2
Counts = NDArray[np.int64]


def bleu_counts(candidate: Sequence[str], reference: Sequence[str]) -> Counts:
    """The counts of one pair, shape (SIZE,)."""
    right, every = [], []
    for n in range(1, ORDERS + 1):
        found, wanted = (
            Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
            for tokens in (candidate, reference)
        )
        right.append((found & wanted).total())
        every.append(found.total())
    return np.array([*right, *every, len(candidate), len(reference)], np.int64)


def bleu(counts: NDArray[np.int64] | Floats, *, short: bool = False) -> Floats:
    """BLEU-4 of summed counts (..., SIZE), shape (...).

    ``short``: no reference has four tokens, so the longest n-grams that candidates have count.
    """
    right, every = counts[..., :ORDERS], counts[..., ORDERS : 2 * ORDERS]
    lengths = counts[..., 2 * ORDERS :].astype(np.float64)
    counted = every > 0 if short else np.ones(every.shape, bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(counted, np.where(every > 0, right / np.maximum(every, 1), 0.0), 1.0)
        orders = np.maximum(counted.sum(-1), 1)
        means = np.exp(np.log(shares).sum(-1) / orders)
        brevity = np.exp(np.minimum(0.0, 1 - lengths[..., 1] / lengths[..., 0]))
    found: Floats = np.where(
        (lengths[..., 0] > 0) & (right[..., 0] > 0), 100 * means * brevity, 0.0
    )
    return found


def too_short(counts: Counts) -> bool:
    """Whether no reference of the pairs (..., SIZE) has as many tokens as the longest n-gram."""
    return bool((counts[..., -1] < ORDERS).all())


def bleu_interval(
    counts: Counts,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    other: Counts | None = None,
    replicates: int = 1,
) -> Interval:
    """Corpus BLEU-4 of (seeds, pairs, SIZE), the mean over seeds, with a percentile interval.

    Pairs and seeds are both drawn again; a pair keeps its outputs of all seeds. With ``other``,
    counts of the same seeds and pairs, the interval is that of the difference, ``counts`` less
    ``other``. Of several ``replicates`` seeds are those of each in turn (`average_rows`).

    Raises:
        ValueError: there is no pair, or the shapes differ.
    """
    tables = [counts] if other is None else [counts, other]
    seeds, pairs, _ = counts.shape
    if not counts.size or any(table.shape != counts.shape for table in tables):
        raise ValueError(f"no pairs, or not paired: shapes {[t.shape for t in tables]}")
    short = too_short(counts)
    flat = [table.transpose(1, 0, 2).reshape(pairs, -1).astype(np.float64) for table in tables]
    found = np.empty((draws, seeds))
    step = max(1, CHUNK // pairs)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        picks = rng.integers(pairs, size=(size, pairs)) + pairs * np.arange(size)[:, None]
        times = np.bincount(picks.ravel(), minlength=size * pairs).reshape(size, pairs)
        sums = [(times @ table).reshape(size, seeds, SIZE) for table in flat]
        scores = [bleu(each, short=short) for each in sums]
        found[start : start + size] = scores[0] - (scores[1] if other is not None else 0.0)
    values = [bleu(table.sum(1), short=short).mean() for table in tables]
    value = values[0] - (values[1] if other is not None else 0.0)
    means = average_rows(found, bleu_of_seeds(counts, other), replicates, rng)
    return percentile_interval(float(value), means, confidence)


def bleu_of_seeds(counts: Counts, other: Counts | None = None) -> Floats:
    """Corpus BLEU-4 of each seed, (seeds,), from (seeds, pairs, SIZE); less that of ``other``."""
    short = too_short(counts)
    values = bleu(counts.sum(axis=1), short=short)
    return values if other is None else values - bleu(other.sum(axis=1), short=short)

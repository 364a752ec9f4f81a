"""BLEU of replicates: as a slow loop over draws has it, and covered with few of them."""

import random

import numpy as np
import pytest

from tuneatlas.statistics.bleu import bleu, bleu_counts, bleu_interval, bleu_of_seeds
from tuneatlas.statistics.bootstrap import percentile_interval, replicate_weights


def written(rng: random.Random, kept: float, pairs: int) -> list[np.ndarray]:
    """Counts of pairs whose words are as in the reference with this probability."""
    found = []
    for _ in range(pairs):
        reference = [rng.choice("abcdefgh") for _ in range(8)]
        candidate = [w if rng.random() < kept else rng.choice("abcdefgh") for w in reference]
        found.append(bleu_counts(candidate, reference))
    return found


def corpora(rng: random.Random, replicates: int, seeds: int, pairs: int, spread: float):
    """Counts (replicates * seeds, pairs, SIZE); replicates are good by chance."""
    return np.array(
        [
            written(rng, kept, pairs)
            for kept in [min(max(rng.gauss(0.8, spread), 0.5), 0.98) for _ in range(replicates)]
            for _ in range(seeds)
        ]
    )


@pytest.mark.parametrize("compared", [False, True])
def test_draws_are_those_of_a_loop_over_pairs_seeds_and_replicates(compared: bool):
    """Pairs drawn for all at once; seeds come with their replicate; others added by Student's t."""
    made = random.Random(3)
    counts = corpora(made, 3, 2, 12, 0.05)
    other = corpora(made, 3, 2, 12, 0.05) if compared else None
    draws = 60
    rng = np.random.default_rng(5)
    picks = rng.integers(12, size=(draws, 12))
    weights = replicate_weights(3, draws, rng)

    def of(replicate: int, chosen: np.ndarray) -> float:
        values = []
        for seed in range(2):
            row = 2 * replicate + seed
            values.append(float(bleu(sum(counts[row][i] for i in chosen))))
            if other is not None:
                values[-1] -= float(bleu(sum(other[row][i] for i in chosen)))
        return sum(values) / 2

    each = [of(r, np.arange(12)) for r in range(3)]
    slow = [
        sum(of(r, picks[n]) for r in range(3)) / 3 + sum(weights[n][r] * each[r] for r in range(3))
        for n in range(draws)
    ]
    wanted = percentile_interval(sum(each) / 3, slow, 0.9)
    found = bleu_interval(counts, np.random.default_rng(5), draws, 0.9, other=other, replicates=3)
    assert found == pytest.approx(wanted)
    assert bleu_of_seeds(counts, other).reshape(3, 2).mean(axis=1) == pytest.approx(each)


def test_three_replicates_cover_the_mean_of_all():
    """And six seeds, as which they would be told otherwise, do not."""
    rng = random.Random(8)
    true = float(np.mean(bleu_of_seeds(corpora(rng, 400, 1, 60, 0.06))))
    covered = {1: 0, 3: 0}
    for world in range(100):
        counts = corpora(rng, 3, 2, 40, 0.06)
        for replicates in covered:
            found = bleu_interval(counts, np.random.default_rng(world), 200, replicates=replicates)
            covered[replicates] += found.low <= true <= found.high
    # Of 600: 94 % and 81 %.
    assert covered[3] >= 90
    assert covered[1] < 88

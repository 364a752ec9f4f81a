"""Intervals of the BLEU of a corpus."""

import random

import numpy as np
import pytest

from tuneatlas.statistics.bleu import bleu_counts, bleu_interval


def test_the_interval_of_corpus_bleu_covers():
    """Of many corpora of one kind, most intervals hold the value of a far larger one."""
    rng = random.Random(1)

    def corpus(pairs):
        found = []
        for _ in range(pairs):
            reference = [rng.choice("abcdefgh") for _ in range(9)]
            candidate = [w if rng.random() < 0.8 else rng.choice("abcdefgh") for w in reference]
            found.append(bleu_counts(candidate, reference))
        return np.array([found])

    true = bleu_interval(corpus(20_000), np.random.default_rng(0), draws=1).value
    held = 0
    for number in range(100):
        found = bleu_interval(corpus(100), np.random.default_rng(number), draws=300)
        held += found.low <= true <= found.high
    assert held >= 88
    with pytest.raises(ValueError, match="not paired"):
        bleu_interval(corpus(3), np.random.default_rng(0), other=corpus(4))
    one, rng_ = corpus(50), np.random.default_rng
    alike = bleu_interval(one, rng_(1), draws=50, other=one)
    assert alike == (0, 0, 0)

"""What guessing contributes to transitions, against a slow count and against planted knowledge."""

from collections import Counter

import numpy as np
import pytest

from tuneatlas.studies.forgetting.chance import (
    CHANGES,
    FORGETTING,
    PLACES,
    TRANSFER,
    expected_by_chance,
    fates_of,
    harmon_interval,
)
from tuneatlas.studies.forgetting.fates import FATES, fate_indicators
from tuneatlas.studies.forgetting.intervals import Resampler


def resampler(draws: int = 300) -> Resampler:
    return Resampler(np.random.default_rng(0), draws, 0.95)


def slow(before: np.ndarray, after: np.ndarray, k: np.ndarray) -> dict[str, float]:
    """Harmon et al. 2025, counted question by question: each k is a benchmark, each seed a run."""
    total = dict.fromkeys(CHANGES, 0.0)
    for first, second in zip(before, after, strict=True):
        for options in set(k.tolist()):
            pairs = Counter(
                (int(b), int(a)) for b, a, o in zip(first, second, k, strict=True) if o == options
            )
            n = sum(pairs.values())
            acc_before = (pairs[1, 0] + pairs[1, 1]) / n
            acc_after = (pairs[0, 1] + pairs[1, 1]) / n
            by_luck = (1 - acc_before) * (1 - acc_after) / (options - 1)
            for change, path in CHANGES.items():
                total[change] += n / len(k) * (pairs[path] / n - by_luck) / len(before)
    return {change: max(0.0, share) for change, share in total.items()}


@pytest.mark.parametrize("widths", [(4,), (2,), (2, 3, 5), (4, 10)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_harmon_is_the_slow_count(widths: tuple[int, ...], seeds: int):
    rng = np.random.default_rng([seeds, *widths])
    k = rng.choice(widths, size=40)
    before, after = (rng.random((seeds, 40)) < p for p in (0.7, 0.6))
    expected = slow(before, after, k)
    for change in CHANGES:
        found = harmon_interval(before, after, k, change, resampler())
        assert found.value == pytest.approx(expected[change], abs=1e-12)
        assert 0 <= found.low <= found.value <= found.high
    raw = {c: slow_share(before, after, path) for c, path in CHANGES.items()}
    luck = expected_by_chance(before, after, k)
    for change, share in raw.items():
        assert max(0.0, share - luck) == pytest.approx(expected[change], abs=1e-12)


def slow_share(before: np.ndarray, after: np.ndarray, path: tuple[int, int]) -> float:
    return float(((before == path[0]) & (after == path[1])).mean())


def test_independent_guesses_are_taken_out_whole():
    """Nobody knows anything: all changes are luck. And what is known and lost stays in."""
    rng = np.random.default_rng(1)
    items = 200_000
    k = rng.choice([2, 4, 6], size=items)
    guesses = [rng.random(items) < 1 / k for _ in range(2)]
    for change in CHANGES:
        assert harmon_interval(*guesses, k, change, resampler(20)).value < 0.003
    forgotten = rng.random(items) < 0.2
    before = forgotten | guesses[0]
    found = harmon_interval(before, guesses[1], k, FORGETTING, resampler(20)).value
    # Of what is forgotten, some is then guessed rightly and still counts as remembered.
    left = 0.2 * (1 - np.mean(1 / k))
    assert found == pytest.approx(left, abs=0.02)
    assert harmon_interval(before, guesses[1], k, TRANSFER, resampler(20)).value < 0.003


def test_the_interval_covers_what_was_planted():
    """Over many draws of questions, near the nominal rate; the truth is of a large sample."""
    rng = np.random.default_rng(5)

    def drawn(items: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known, kept = rng.random(items) < 0.6, rng.random(items) < 0.6
        guesses = [rng.random(items) < 0.25 for _ in range(2)]
        return known | guesses[0], (known & kept) | guesses[1], np.full(items, 4)

    truth = harmon_interval(*drawn(400_000), FORGETTING, resampler(2)).value
    intervals = [harmon_interval(*drawn(150), FORGETTING, resampler(200)) for _ in range(200)]
    covered = np.mean([i.low <= truth <= i.high for i in intervals])
    assert covered >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_a_guess_needs_two_options():
    with pytest.raises(ValueError, match="at least 2 options"):
        expected_by_chance([1], [0], [1])


@pytest.mark.parametrize("comparison", PLACES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_the_sum_of_its_fates(comparison: str, change: str):
    paths = np.array(list(np.ndindex(2, 2, 2))).T
    before, after = (paths[place] for place in PLACES[comparison])
    fates = fate_indicators(*paths)
    total = np.sum([fates[name] for name in fates_of(comparison, change)], axis=0)
    assert total.tolist() == [(b, a) == CHANGES[change] for b, a in zip(before, after, strict=True)]
    assert len(fates_of(comparison, change)) == len(FATES) / 4

"""Closed forms, properties, and coverage of the intervals by simulation."""

import numpy as np
import pytest
from scipy import stats

from tuneatlas.statistics.intervals import accuracy_interval, paired_difference, wilson_interval


def test_accuracy_interval_matches_the_binomial() -> None:
    correct = np.arange(200) < 130
    value, low, high = accuracy_interval(correct, np.random.default_rng(0), 20_000)
    ends = stats.binom.ppf([0.025, 0.975], 200, 0.65) / 200
    assert value == pytest.approx(0.65)
    assert [low, high] == pytest.approx(list(ends), abs=0.011)


def test_item_is_the_cluster_of_its_seeds() -> None:
    """Three seeds with equal answers are worth no more than one."""
    rng = np.random.default_rng(0)
    correct = rng.random(300) < 0.6
    one = accuracy_interval(correct, np.random.default_rng(1))
    three = accuracy_interval([correct] * 3, np.random.default_rng(1))
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.1)


@pytest.mark.parametrize(("right", "low", "high"), [(True, 0.72, 1.0), (False, 0.0, 0.28)])
def test_answers_that_do_not_vary_keep_an_interval(right: bool, low: float, high: float) -> None:
    interval = accuracy_interval([[right] * 10] * 2, np.random.default_rng(0))
    assert interval.value == float(right)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.005)


def test_wilson_interval_matches_scipy() -> None:
    want = stats.binomtest(7, 31).proportion_ci(0.9, method="wilson")
    got = wilson_interval(7, 31, 0.9)
    assert (got.low, got.high) == pytest.approx((want.low, want.high))


def test_no_items_is_an_error() -> None:
    with pytest.raises(ValueError, match="no items"):
        accuracy_interval([], np.random.default_rng(0))


@pytest.mark.parametrize(("seeds", "seed_sd"), [(1, 0.0), (6, 0.05)])
def test_bootstrap_interval_covers(seeds: int, seed_sd: float) -> None:
    """Items and seeds both vary; the interval catches the mean about as often as it says."""
    rng = np.random.default_rng(5)
    caught = 0
    for _ in range(300):
        item = rng.normal(0, 0.2, 80)
        runs = rng.normal(0, seed_sd, (seeds, 1))
        chance = np.clip(0.55 + item + runs, 0, 1)
        correct = rng.random((seeds, 80)) < chance
        interval = accuracy_interval(correct, rng, draws=300)
        caught += interval.low <= 0.55 <= interval.high
    assert 0.91 <= caught / 300 <= 0.99


def test_paired_difference_is_narrower_than_an_unpaired_one() -> None:
    rng = np.random.default_rng(0)
    second = rng.random((3, 400)) < 0.5
    first = second ^ (rng.random((3, 400)) < 0.05)
    paired = paired_difference(first, second, np.random.default_rng(1))
    alone = accuracy_interval(first, np.random.default_rng(1))
    assert paired.value == pytest.approx(first.mean() - second.mean())
    assert paired.low <= paired.value <= paired.high
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)


def test_paired_difference_needs_pairs() -> None:
    with pytest.raises(ValueError, match="not paired"):
        paired_difference([1, 0], [1, 0, 1], np.random.default_rng(0))

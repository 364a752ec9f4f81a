"""Intervals over few replicates cover what they say, and a plain resampling of them does not."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tuneatlas.statistics.bootstrap import (
    Floats,
    average_rows,
    percentile_interval,
    replicate_weights,
)
from tuneatlas.statistics.correlation import Correlation, mean_correlation
from tuneatlas.statistics.intervals import accuracy_interval

DRAWS = 400
# Standard deviations of: an item's own effect, a replicate, a tuning seed, an item in a replicate.
WORLDS = [
    (0.3, 0.05, 0.03, 0.2),
    (0.1, 0.1, 0.02, 0.1),
    (0.4, 0.01, 0.01, 0.3),
    (0.2, 0.02, 0.1, 0.2),
]


def world(
    rng: np.random.Generator, replicates: int, seeds: int, items: int, spread: tuple[float, ...]
) -> Floats:
    """Values (replicates, seeds, items) about a truth of 0: items crossed, seeds nested."""
    item, replicate, seed, noise = spread
    return (
        rng.normal(0, item, items)
        + rng.normal(0, replicate, (replicates, 1, 1))
        + rng.normal(0, seed, (replicates, seeds, 1))
        + rng.normal(0, noise, (replicates, 1, items))
    )


def weighted(values: Floats, rng: np.random.Generator) -> Floats:
    """As the comparisons do: items drawn for all, and what other replicates would add."""
    number, _, items = values.shape
    counts = rng.multinomial(items, np.full(items, 1 / items), size=DRAWS) / items
    each = values.mean(axis=(1, 2))
    return counts @ values.mean(axis=(0, 1)) + replicate_weights(number, DRAWS, rng) @ each


def plain(values: Floats, rng: np.random.Generator) -> Floats:
    """The Multi-Bootstrap as it is, draw by draw: replicates, seeds within each, and items."""
    number, seeds, items = values.shape
    found = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = rng.integers(items, size=items)
        parts = [
            values[r][rng.integers(seeds, size=seeds)][:, chosen].mean()
            for r in rng.integers(number, size=number)
        ]
        found[draw] = np.mean(parts)
    return found


def coverage(
    draw: Callable[[Floats, np.random.Generator], Floats],
    shape: tuple[int, int, int],
    spread: tuple[float, ...],
    worlds: int,
) -> float:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(worlds):
        values = world(rng, *shape, spread)
        found = percentile_interval(float(values.mean()), draw(values, rng), 0.95)
        covered += found.low <= 0 <= found.high
    return covered / worlds


@pytest.mark.parametrize("spread", WORLDS)
@pytest.mark.parametrize("replicates", [2, 3, 5])
def test_the_truth_is_covered_with_few_replicates(replicates: int, spread: tuple[float, ...]):
    assert coverage(weighted, (replicates, 2, 60), spread, 300) >= 0.92


def test_a_plain_resampling_of_three_covers_too_little():
    """What the weights are for: this reference falls short where replicates differ most."""
    assert coverage(plain, (3, 2, 60), WORLDS[1], 60) < 0.9


def test_the_weights_have_the_error_of_a_mean():
    """Student's t with one degree of freedom less, whatever the replicates' numbers are."""
    rng = np.random.default_rng(3)
    for number in (2, 3, 5):
        each = rng.normal(3, 2, number)
        drawn = replicate_weights(number, 100_000, rng) @ each
        error = each.std(ddof=1) / np.sqrt(number)
        wanted = stats.t(number - 1).ppf([0.05, 0.25, 0.5, 0.75, 0.95])
        assert np.quantile(drawn / error, [0.05, 0.25, 0.5, 0.75, 0.95]) == pytest.approx(
            wanted, rel=0.06, abs=0.03
        )


def test_replicates_that_agree_add_nothing():
    rng = np.random.default_rng(3)
    assert np.abs(replicate_weights(4, 100, rng) @ np.full(4, 0.7)).max() < 1e-12


def test_an_accuracy_stays_a_share():
    rng = np.random.default_rng(3)
    correct = np.stack([np.ones(50), np.r_[np.zeros(30), np.ones(20)]])
    found = accuracy_interval(correct, rng, 500, replicates=2)
    assert (found.value, found.low, found.high) == (0.7, 0.0, 1.0)
    assert accuracy_interval(np.ones((3, 50)), rng, replicates=3).low > 0.9


def test_a_mean_correlation_is_as_uncertain_as_one_and_more():
    """Replicates are tuned on the same: more of them make no more settings."""
    one = Correlation(0.5, 0.1, 0.8, 20, 10, 0.02)
    assert mean_correlation([one]) == one
    same = mean_correlation([one, one])
    assert same.value == pytest.approx(0.5)
    assert (same.points, same.clusters, same.p) == (40, 10, 0.02)
    assert same.high - same.low == pytest.approx(0.7, abs=0.05)
    other = one._replace(value=0.3, low=-0.1, high=0.7, p=0.3)
    wider = mean_correlation([one, other])
    assert wider.value == pytest.approx(0.4)
    assert wider.low < same.low
    assert wider.p == 0.3


@pytest.mark.parametrize("value", [float("nan"), 1.0])
def test_a_correlation_that_says_nothing_in_one_says_nothing_in_all(value: float):
    none = Correlation(value, -1.0, 1.0, 3, 3, float("nan"))
    found = mean_correlation([Correlation(0.5, 0.1, 0.8, 20, 10, 0.02), none])
    assert (found.low, found.high) == (-1.0, 1.0)


def test_rows_may_say_which_replicate_they_are_of():
    """In any order, and not as many of each: more seeds of a replicate tell no more of others."""
    values = np.array([0.1, 0.3, 0.6, 0.4])
    draws = np.tile(values, (5000, 1))
    counted = average_rows(draws, values, 2, np.random.default_rng(1))
    named = average_rows(draws, values, ["a", "a", "b", "b"], np.random.default_rng(1))
    assert np.array_equal(counted, named)
    turned = [0, 2, 1, 3]
    mixed = average_rows(
        draws[:, turned], values[turned], ["a", "b", "a", "b"], np.random.default_rng(1)
    )
    assert mixed == pytest.approx(named)
    many = np.array([0.2] * 9 + [0.5])
    uneven = average_rows(
        np.tile(many, (5000, 1)), many, ["a"] * 9 + ["b"], np.random.default_rng(1)
    )
    assert np.quantile(uneven, 0.9) - np.quantile(uneven, 0.1) == pytest.approx(
        np.quantile(named, 0.9) - np.quantile(named, 0.1)
    )

"""Rank correlations against scipy, closed forms and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tuneatlas.statistics.correlation import partial_spearman, rank_correlation

SCORES = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.floats(-20, 20)
)


@given(SCORES)
def test_rank_correlation_matches_spearman(scores: np.ndarray) -> None:
    other = np.sin(scores * 3)
    got = rank_correlation(scores, other)
    for row, (x, y) in zip(got, zip(scores, other, strict=True), strict=True):
        if np.ptp(x) and np.ptp(y):
            assert row == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
        else:
            assert row == 0


@given(SCORES)
def test_rank_correlation_sees_order_only(scores: np.ndarray) -> None:
    rounded = np.round(scores)
    np.testing.assert_allclose(
        rank_correlation(rounded, 3 * rounded + 1), np.ptp(rounded, axis=1) > 0
    )


def test_partial_spearman_ties_what_differs_by_rounding_alone() -> None:
    """The same share, summed in another order, once gave another rank and another number."""
    x = np.array([0.1 + 0.2, 0.3, 0.5, 0.7, 0.6])
    y = np.array([0.4, 0.2, 0.1, 0.9, 0.8])
    exact = np.array([0.3, 0.3, 0.5, 0.7, 0.6])
    flat = np.zeros(5)
    got = partial_spearman(x, y, flat)
    assert got == pytest.approx(partial_spearman(exact, y, flat), nan_ok=True)


def test_partial_spearman_matches_the_closed_form() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=25)
    x, y = z + rng.normal(size=25), z + rng.normal(size=25)
    xy, xz, yz = (stats.spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    want = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    got = partial_spearman(x, y, z)
    assert got.value == pytest.approx(want)
    assert (got.points, got.clusters) == (25, 25)
    half = stats.norm.ppf(0.975) * np.sqrt((1 + want**2 / 2) / (25 - 3 - 1))
    assert got.low == pytest.approx(np.tanh(np.arctanh(want) - half))
    assert got.high == pytest.approx(np.tanh(np.arctanh(want) + half))


def test_constant_control_is_plain_spearman_with_its_own_freedom() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 9))
    got = partial_spearman(x, y, np.full(9, 0.4))
    want = stats.spearmanr(x, y).statistic
    assert got.value == pytest.approx(want)
    half = stats.norm.ppf(0.975) * np.sqrt((1 + want**2 / 2) / (9 - 3))
    assert got.high == pytest.approx(np.tanh(np.arctanh(want) + half))


def test_a_control_that_explains_a_variable_leaves_nothing() -> None:
    x = np.arange(8.0)
    got = partial_spearman(x, np.sin(x), 2 * x)
    assert np.isnan(got.value)
    assert (got.low, got.high) == (-1, 1)


def test_too_few_clusters_say_nothing() -> None:
    x = np.arange(4.0)
    got = partial_spearman(x, x, [0, 0, 1, 1])
    assert (got.low, got.high) == (-1, 1)


def test_a_perfect_correlation_keeps_an_interval() -> None:
    x = np.arange(8.0)
    got = partial_spearman(x, x, np.zeros(8))
    assert got.value == 1
    assert 0.5 < got.low < 1
    assert got.high == 1


def test_repeated_points_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 12))
    once = partial_spearman(x, y, np.zeros(12))
    thrice = partial_spearman(
        np.tile(x, 3), np.tile(y, 3), np.zeros(36), clusters=list(range(12)) * 3
    )
    assert thrice[:3] == pytest.approx(once[:3])
    assert (thrice.points, thrice.clusters) == (36, 12)


def test_permutation_p_matches_exact_enumeration() -> None:
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 3, 5, 4])
    exact = stats.permutation_test(
        (y,),
        lambda order: stats.spearmanr(x, order).statistic,
        permutation_type="pairings",
        n_resamples=np.inf,
    )
    got = partial_spearman(x, y, np.zeros(5), rng=np.random.default_rng(0), draws=20_000)
    assert got.p == pytest.approx(exact.pvalue, abs=0.015)


def test_permutation_stays_within_strata() -> None:
    """A difference between strata alone is no evidence: all orders give the same value."""
    x, y = np.repeat([0.0, 1.0], 4), np.repeat([0.0, 1.0], 4)
    got = partial_spearman(
        x, y, np.zeros(8), strata=[0] * 4 + [1] * 4, rng=np.random.default_rng(0), draws=200
    )
    assert got.p == 1


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_interval_holds_the_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    got = partial_spearman(*rng.integers(0, 4, (3, 10)))
    assert np.isnan(got.value) or -1 <= got.low <= got.value <= got.high <= 1


def test_partial_correlation_interval_covers_under_clusters() -> None:
    """Two strata of six settings with three runs each, settings and runs both vary."""
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(12), 3)
    control = np.repeat([0.3, 0.5], 18)
    false, missed, slope = 0, 0, 1.0
    rho = 6 / np.pi * np.arcsin(slope / np.sqrt(1 + slope**2) / 2)
    for _ in range(400):
        setting, other = rng.normal(0, 1, (2, 12))
        x = setting[clusters] + rng.normal(0, 0.3, 36)
        null = other[clusters] + rng.normal(0, 0.3, 36)
        got = partial_spearman(x, null, control, clusters=clusters.tolist())
        false += not got.low <= 0 <= got.high
        linked = slope * setting[clusters] + null
        got = partial_spearman(x, linked, control, clusters=clusters.tolist())
        missed += not got.low <= rho <= got.high
    assert false / 400 <= 0.08
    assert missed / 400 <= 0.09

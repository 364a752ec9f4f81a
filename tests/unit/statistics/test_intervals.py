"""Closed forms, properties, and coverage of the intervals by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tuneatlas import statistics

SCORES = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.floats(-20, 20)
)


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_resampled_means_have_the_spread_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, (2, 150))
    draws = statistics.resample_items(values, 4000, rng)
    assert draws.shape == (4000, 2)
    np.testing.assert_allclose(draws.mean(axis=0), values.mean(axis=1), atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), values.std(axis=1) / 150**0.5, rtol=0.06)


def test_rows_share_their_resamples() -> None:
    values = np.random.default_rng(0).normal(size=80)
    draws = statistics.resample_items([values, values + 1], 50, np.random.default_rng(1))
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 1)


def test_resampling_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(2, 40))
    whole = statistics.resample_items(values, 30, np.random.default_rng(1))
    monkeypatch.setattr(statistics, "CHUNK", 100)
    np.testing.assert_allclose(
        statistics.resample_items(values, 30, np.random.default_rng(1)), whole
    )


def test_accuracy_interval_matches_the_binomial() -> None:
    correct = np.arange(200) < 130
    value, low, high = statistics.accuracy_interval(correct, np.random.default_rng(0), 20_000)
    ends = stats.binom.ppf([0.025, 0.975], 200, 0.65) / 200
    assert value == pytest.approx(0.65)
    assert [low, high] == pytest.approx(list(ends), abs=0.011)


def test_item_is_the_cluster_of_its_seeds() -> None:
    """Three seeds with equal answers are worth no more than one."""
    rng = np.random.default_rng(0)
    correct = rng.random(300) < 0.6
    one = statistics.accuracy_interval(correct, np.random.default_rng(1))
    three = statistics.accuracy_interval([correct] * 3, np.random.default_rng(1))
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.1)


@pytest.mark.parametrize(("right", "low", "high"), [(True, 0.72, 1.0), (False, 0.0, 0.28)])
def test_answers_that_do_not_vary_keep_an_interval(right: bool, low: float, high: float) -> None:
    interval = statistics.accuracy_interval([[right] * 10] * 2, np.random.default_rng(0))
    assert interval.value == float(right)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.005)


def test_wilson_interval_matches_scipy() -> None:
    want = stats.binomtest(7, 31).proportion_ci(0.9, method="wilson")
    got = statistics.wilson_interval(7, 31, 0.9)
    assert (got.low, got.high) == pytest.approx((want.low, want.high))


def test_no_items_is_an_error() -> None:
    with pytest.raises(ValueError, match="no items"):
        statistics.accuracy_interval([], np.random.default_rng(0))


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
        interval = statistics.accuracy_interval(correct, rng, draws=300)
        caught += interval.low <= 0.55 <= interval.high
    assert 0.91 <= caught / 300 <= 0.99


def test_paired_difference_is_narrower_than_an_unpaired_one() -> None:
    rng = np.random.default_rng(0)
    second = rng.random((3, 400)) < 0.5
    first = second ^ (rng.random((3, 400)) < 0.05)
    paired = statistics.paired_difference(first, second, np.random.default_rng(1))
    alone = statistics.accuracy_interval(first, np.random.default_rng(1))
    assert paired.value == pytest.approx(first.mean() - second.mean())
    assert paired.low <= paired.value <= paired.high
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)


def test_paired_difference_needs_pairs() -> None:
    with pytest.raises(ValueError, match="not paired"):
        statistics.paired_difference([1, 0], [1, 0, 1], np.random.default_rng(0))


@given(SCORES)
def test_kl_of_a_distribution_with_itself_is_zero(scores: np.ndarray) -> None:
    np.testing.assert_allclose(statistics.kl_divergence(softmax(scores), softmax(scores)), 0)


@given(SCORES)
def test_kl_matches_scipy_and_is_not_negative(scores: np.ndarray) -> None:
    base, tuned = softmax(scores), softmax(scores[:, ::-1] / 2)
    got = statistics.kl_divergence(base, tuned)
    np.testing.assert_allclose(got, stats.entropy(base, tuned, axis=1), atol=1e-9)
    assert (got >= -1e-12).all()


def test_kl_stays_finite_where_an_option_is_ruled_out() -> None:
    [got] = statistics.kl_divergence([[0.5, 0.5]], [[1.0, 0.0]], epsilon=1e-6)
    assert got == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-6), rel=1e-5)


@given(SCORES)
def test_rank_correlation_matches_spearman(scores: np.ndarray) -> None:
    other = np.sin(scores * 3)
    got = statistics.rank_correlation(scores, other)
    for row, (x, y) in zip(got, zip(scores, other, strict=True), strict=True):
        if np.ptp(x) and np.ptp(y):
            assert row == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
        else:
            assert row == 0


@given(SCORES)
def test_rank_correlation_sees_order_only(scores: np.ndarray) -> None:
    rounded = np.round(scores)
    np.testing.assert_allclose(
        statistics.rank_correlation(rounded, 3 * rounded + 1), np.ptp(rounded, axis=1) > 0
    )


def test_partial_spearman_ties_what_differs_by_rounding_alone() -> None:
    """The same share, summed in another order, once gave another rank and another number."""
    x = np.array([0.1 + 0.2, 0.3, 0.5, 0.7, 0.6])
    y = np.array([0.4, 0.2, 0.1, 0.9, 0.8])
    exact = np.array([0.3, 0.3, 0.5, 0.7, 0.6])
    flat = np.zeros(5)
    got = statistics.partial_spearman(x, y, flat)
    assert got == pytest.approx(statistics.partial_spearman(exact, y, flat), nan_ok=True)


def test_partial_spearman_matches_the_closed_form() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=25)
    x, y = z + rng.normal(size=25), z + rng.normal(size=25)
    xy, xz, yz = (stats.spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    want = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    got = statistics.partial_spearman(x, y, z)
    assert got.value == pytest.approx(want)
    assert (got.points, got.clusters) == (25, 25)
    half = stats.norm.ppf(0.975) * np.sqrt((1 + want**2 / 2) / (25 - 3 - 1))
    assert got.low == pytest.approx(np.tanh(np.arctanh(want) - half))
    assert got.high == pytest.approx(np.tanh(np.arctanh(want) + half))


def test_constant_control_is_plain_spearman_with_its_own_freedom() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 9))
    got = statistics.partial_spearman(x, y, np.full(9, 0.4))
    want = stats.spearmanr(x, y).statistic
    assert got.value == pytest.approx(want)
    half = stats.norm.ppf(0.975) * np.sqrt((1 + want**2 / 2) / (9 - 3))
    assert got.high == pytest.approx(np.tanh(np.arctanh(want) + half))


def test_a_control_that_explains_a_variable_leaves_nothing() -> None:
    x = np.arange(8.0)
    got = statistics.partial_spearman(x, np.sin(x), 2 * x)
    assert np.isnan(got.value)
    assert (got.low, got.high) == (-1, 1)


def test_too_few_clusters_say_nothing() -> None:
    x = np.arange(4.0)
    got = statistics.partial_spearman(x, x, [0, 0, 1, 1])
    assert (got.low, got.high) == (-1, 1)


def test_a_perfect_correlation_keeps_an_interval() -> None:
    x = np.arange(8.0)
    got = statistics.partial_spearman(x, x, np.zeros(8))
    assert got.value == 1
    assert 0.5 < got.low < 1
    assert got.high == 1


def test_repeated_points_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 12))
    once = statistics.partial_spearman(x, y, np.zeros(12))
    thrice = statistics.partial_spearman(
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
    got = statistics.partial_spearman(x, y, np.zeros(5), rng=np.random.default_rng(0), draws=20_000)
    assert got.p == pytest.approx(exact.pvalue, abs=0.015)


def test_permutation_stays_within_strata() -> None:
    """A difference between strata alone is no evidence: all orders give the same value."""
    x, y = np.repeat([0.0, 1.0], 4), np.repeat([0.0, 1.0], 4)
    got = statistics.partial_spearman(
        x, y, np.zeros(8), strata=[0] * 4 + [1] * 4, rng=np.random.default_rng(0), draws=200
    )
    assert got.p == 1


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_interval_holds_the_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    got = statistics.partial_spearman(*rng.integers(0, 4, (3, 10)))
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
        got = statistics.partial_spearman(x, null, control, clusters=clusters.tolist())
        false += not got.low <= 0 <= got.high
        linked = slope * setting[clusters] + null
        got = statistics.partial_spearman(x, linked, control, clusters=clusters.tolist())
        missed += not got.low <= rho <= got.high
    assert false / 400 <= 0.08
    assert missed / 400 <= 0.09

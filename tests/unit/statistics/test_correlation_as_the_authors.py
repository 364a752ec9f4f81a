"""Ranks, partial correlation and KL as Ren et al. 2024 compute them, against scipy alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuneatlas.statistics.correlation import partial_spearman, rank_correlation
from tuneatlas.statistics.divergence import kl_divergence

PROBS = st.lists(st.integers(1, 5), min_size=4, max_size=4).map(lambda n: [v / sum(n) for v in n])


def dense(values: list[float]) -> list[int]:
    """Their ranks: 1 for the highest, tied ones share one, without gaps."""
    order = {value: at for at, value in enumerate(sorted(set(values), reverse=True), 1)}
    return [order[value] for value in values]


@given(PROBS, PROBS)
def test_dense_ranks(base, tuned):
    (found,) = rank_correlation([base], [tuned], "dense")
    x, y = dense(base), dense(tuned)
    wanted = stats.pearsonr(x, y)[0] if len(set(x)) > 1 < len(set(y)) else 0.0
    assert found == pytest.approx(wanted, abs=1e-9)


def test_dense_ranks_differ_from_mean_ones_where_options_tie():
    base, tuned = [[0.4, 0.4, 0.15, 0.05]], [[0.4, 0.3, 0.2, 0.1]]
    apart = rank_correlation(base, tuned, "dense") - rank_correlation(base, tuned)
    assert abs(apart[0]) > 1e-3
    plain = [[0.4, 0.3, 0.2, 0.1]]
    assert rank_correlation(plain, tuned, "dense") == rank_correlation(plain, tuned)


@pytest.mark.parametrize("seed", range(5))
def test_spearman_of_residuals(seed):
    rng = np.random.default_rng(seed)
    x, y, z = rng.normal(size=(3, 32)).round(1)
    x, y = (x + z).round(1), (y + z).round(1)
    ranks = [stats.rankdata(v) for v in (x, y, z)]
    left = [v - np.polyval(np.polyfit(ranks[2], v, 1), ranks[2]) for v in ranks[:2]]
    wanted = stats.spearmanr(*(v.round(9) for v in left))[0]
    found = partial_spearman(x, y, z, residuals="spearman", rng=rng, draws=200)
    assert found.value == pytest.approx(wanted, abs=1e-9)
    assert found.low < found.value < found.high and 0 < found.p <= 1
    assert partial_spearman(x, y, z).value == pytest.approx(stats.pearsonr(*left)[0], abs=1e-9)


@given(PROBS, PROBS)
def test_kl_without_a_floor(base, tuned):
    (found,) = kl_divergence([base], [tuned], 0)
    assert found == pytest.approx(stats.entropy(base, tuned), abs=1e-12)


def test_kl_without_a_floor_has_its_limits():
    one, other = [[1.0, 0.0]], [[0.5, 0.5]]
    assert kl_divergence(one, other, 0) == pytest.approx([np.log(2)])
    assert kl_divergence(other, one, 0) == [np.inf]

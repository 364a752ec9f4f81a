"""Kullback-Leibler divergence against its closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tuneatlas.statistics.divergence import kl_divergence

SCORES = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.floats(-20, 20)
)


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@given(SCORES)
def test_kl_of_a_distribution_with_itself_is_zero(scores: np.ndarray) -> None:
    np.testing.assert_allclose(kl_divergence(softmax(scores), softmax(scores)), 0)


@given(SCORES)
def test_kl_matches_scipy_and_is_not_negative(scores: np.ndarray) -> None:
    base, tuned = softmax(scores), softmax(scores[:, ::-1] / 2)
    got = kl_divergence(base, tuned)
    np.testing.assert_allclose(got, stats.entropy(base, tuned, axis=1), atol=1e-9)
    assert (got >= -1e-12).all()


def test_kl_stays_finite_where_an_option_is_ruled_out() -> None:
    [got] = kl_divergence([[0.5, 0.5]], [[1.0, 0.0]], epsilon=1e-6)
    assert got == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-6), rel=1e-5)

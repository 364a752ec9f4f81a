"""Paired tests against exact ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuneatlas.statistics.tests import holm, mcnemar, replicated_error, sign_test


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40))
def test_one_seed_is_the_exact_test_of_mcnemar(lost: int, gained: int, same: int):
    before = [1] * lost + [0] * gained + [1] * same
    after = [0] * lost + [1] * gained + [1] * same
    test = mcnemar(before, [after])
    assert (test.lost, test.gained) == (lost, gained)
    assert test.difference == pytest.approx((lost - gained) / len(before))
    exact = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert test.p == pytest.approx(exact)


def test_seeds_of_a_question_are_one_cluster():
    """Three copies of the same answers are no more evidence than one."""
    before = np.array([1] * 9 + [0] * 3 + [1] * 20)
    after = np.array([0] * 9 + [1] * 3 + [1] * 20)
    assert mcnemar(before, [after] * 3).p == pytest.approx(mcnemar(before, [after]).p)


def test_sign_test_agrees_with_all_sign_changes():
    changes = np.array([3, -1, 2, 2, -3, 1, 0])
    signs = np.array(list(np.ndindex(*[2] * len(changes)))) * 2 - 1
    sums = np.abs(signs @ np.abs(changes))
    assert sign_test(changes) == pytest.approx((sums >= abs(changes.sum())).mean())


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).max() <= 1


def test_a_test_over_replicates_keeps_its_level_where_seeds_alone_do_not():
    """Null: no change on average, but replicates change by 5 points either way."""
    rng = np.random.default_rng(8)
    false, plain = 0, 0
    for _ in range(300):
        shift = np.repeat(rng.normal(0, 0.05, 3), 2)[:, None]
        before = rng.random((6, 200)) < 0.6
        after = rng.random((6, 200)) < 0.6 + shift
        false += mcnemar(before, after, replicates=3).p <= 0.05
        plain += mcnemar(before, after).p <= 0.05
    assert false / 300 <= 0.07
    assert plain / 300 >= 0.2


def test_a_test_over_replicates_has_no_news_where_nothing_changes():
    same = np.ones((6, 20))
    assert mcnemar(same, same, replicates=3).p == 1


def test_the_error_over_replicates_has_both_parts():
    """One replicate's variance and one item's alone, by hand."""
    apart = np.repeat([[0.0], [0.2], [0.4]], 10, axis=1)
    error, freedom = replicated_error(apart, 3)
    assert (error, freedom) == (pytest.approx(0.2 / 3**0.5), pytest.approx(2))
    items = np.tile([0.0, 1.0], (3, 5))
    error, freedom = replicated_error(items, 3)
    assert (error, freedom) == (pytest.approx((2.5 / 90) ** 0.5), pytest.approx(9))

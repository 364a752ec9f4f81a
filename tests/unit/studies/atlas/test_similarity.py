"""Linear CKA as a slow reference has it, its jackknife as CKA without each item has it."""

import numpy as np
import pytest

from tuneatlas.studies.atlas.similarity import cka_values, linear_cka

RNG = np.random.default_rng(6)
ONE = RNG.normal(size=(14, 5)) + 3
OTHER = ONE @ RNG.normal(size=(5, 7)) + RNG.normal(size=(14, 7))


def reference(one: np.ndarray, other: np.ndarray) -> float:
    """Kornblith et al. 2019, eq. 3 and 4, sum by sum, with a centring matrix."""
    items = len(one)
    centring = np.eye(items) - np.ones((items, items)) / items

    def hsic(left: np.ndarray, right: np.ndarray) -> float:
        first, second = (centring @ (side @ side.T) @ centring for side in (left, right))
        return sum(first[i, j] * second[j, i] for i in range(items) for j in range(items))

    return hsic(one, other) / (hsic(one, one) * hsic(other, other)) ** 0.5


def test_it_is_that_of_the_reference():
    assert linear_cka(ONE, OTHER) == pytest.approx(reference(ONE, OTHER), abs=1e-12)
    assert linear_cka(ONE, ONE) == pytest.approx(1)


def test_turned_moved_and_scaled_states_are_the_same():
    turn = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
    assert linear_cka(ONE, 3 * ONE @ turn + 8) == pytest.approx(1)
    assert linear_cka(ONE, ONE * [1, 1, 1, 1, 20]) < 0.95


def test_the_parts_of_items_are_those_of_the_jackknife():
    values = cka_values(ONE, OTHER)
    for item, value in enumerate(values):
        rest = [n for n in range(14) if n != item]
        without = reference(ONE[rest], OTHER[rest])
        assert value == pytest.approx(14 * reference(ONE, OTHER) - 13 * without, abs=1e-9)


def test_of_few_items_it_is_less_high_than_plain():
    """Of states that have nothing in common; of many items both are near 0."""
    pairs = [[RNG.normal(size=(12, 30)) for _ in range(2)] for _ in range(40)]
    plain = np.mean([linear_cka(*pair) for pair in pairs])
    less = np.mean([cka_values(*pair).mean() for pair in pairs])
    assert plain > 0.6 and less < plain - 0.1


def test_what_does_not_vary_is_like_nothing():
    assert np.isnan(linear_cka(np.ones((6, 2)), RNG.normal(size=(6, 2))))

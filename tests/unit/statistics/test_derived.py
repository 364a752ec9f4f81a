"""Ratios and correlations of means, with intervals as plain resampling gives them."""

import numpy as np
import pytest

from tuneatlas.statistics.derived import derived_interval, phi, ratio_interval
from tuneatlas.statistics.intervals import mean_interval, wilson_interval

RNG = np.random.default_rng(5)
WHOLE = RNG.random((2, 300)) < 0.4
PART = WHOLE & (RNG.random((2, 300)) < 0.3)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_mean_is_derived_as_it_is():
    assert derived_interval(lambda a: a, [PART], rng(), 300) == pytest.approx(
        mean_interval(PART, rng(), 300), abs=1e-8
    )


def test_a_ratio_is_as_resampled_item_by_item():
    found = ratio_interval(PART[0], WHOLE[0], rng(), 4000)
    assert found is not None and found.value == PART[0].sum() / WHOLE[0].sum()
    picks = rng().integers(300, size=(4000, 300))
    ratios = PART[0][picks].sum(axis=1) / WHOLE[0][picks].sum(axis=1)
    assert found[1:] == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.02)


def test_replicates_widen_it():
    """Of two base models, one of which has all of a part."""
    part = WHOLE * [[1], [0]]
    narrow, wide = (ratio_interval(part, WHOLE, rng(), 500, 0.95, None, n) for n in (1, 2))
    assert narrow and wide and wide.high - wide.low > 2 * (narrow.high - narrow.low) > 0


def test_without_a_whole_there_is_none_and_all_of_it_is_not_certain():
    assert ratio_interval(PART, np.zeros_like(PART), rng()) is None
    count = int(WHOLE.any(axis=0).sum())
    assert ratio_interval(WHOLE, WHOLE, rng()) == wilson_interval(count, count)
    assert ratio_interval(0 * PART, WHOLE, rng()) == wilson_interval(0, count)
    # The same question twice is one.
    same = [n // 2 for n in range(300)]
    pairs = len({name for name, some in zip(same, WHOLE.any(axis=0), strict=True) if some})
    assert ratio_interval(WHOLE, WHOLE, rng(), clusters=same) == wilson_interval(pairs, pairs)


def test_phi_is_the_correlation_of_two_events():
    one, two = PART[0], WHOLE[1]
    cells = [(one & two).mean(), (one & ~two).mean(), (~one & two).mean(), (~one & ~two).mean()]
    assert phi(*cells) == pytest.approx(np.corrcoef(one, two)[0, 1])
    assert phi(0.5, 0, 0, 0.5) == 1 and phi(0, 0.5, 0.5, 0) == -1 and phi(0.5, 0.5, 0, 0) == 0

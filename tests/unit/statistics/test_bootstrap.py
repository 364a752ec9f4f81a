"""Resampled means have the spread of a mean, however they are computed."""

import numpy as np
import pytest

from tuneatlas.statistics import bootstrap
from tuneatlas.statistics.bootstrap import resample_items


def test_resampled_means_have_the_spread_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, (2, 150))
    draws = resample_items(values, 4000, rng)
    assert draws.shape == (4000, 2)
    np.testing.assert_allclose(draws.mean(axis=0), values.mean(axis=1), atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), values.std(axis=1) / 150**0.5, rtol=0.06)


def test_rows_share_their_resamples() -> None:
    values = np.random.default_rng(0).normal(size=80)
    draws = resample_items([values, values + 1], 50, np.random.default_rng(1))
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 1)


def test_resampling_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(2, 40))
    whole = resample_items(values, 30, np.random.default_rng(1))
    monkeypatch.setattr(bootstrap, "CHUNK", 100)
    np.testing.assert_allclose(resample_items(values, 30, np.random.default_rng(1)), whole)

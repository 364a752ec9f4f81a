"""Resampled means have the spread of a mean, however they are computed."""

import numpy as np
import pytest

from tuneatlas.statistics import bootstrap
from tuneatlas.statistics.bootstrap import Floats, resample_blocks, resample_items
from tuneatlas.statistics.intervals import accuracy_interval, mean_interval, wilson_interval


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


def test_items_of_their_own_are_resampled_as_ever() -> None:
    """To the bit: the means of counts that are drawn block by block, over the number of items."""
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(5, items)) for items in (40, 7, 91)]
    names = [[(place, n) for n in range(block.shape[1])] for place, block in enumerate(blocks)]
    found = resample_blocks(blocks, names, 60, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    for block, means in zip(blocks, found, strict=True):
        items = block.shape[1]
        picks = rng.integers(items, size=(60, items)) + items * np.arange(60)[:, None]
        counts = np.bincount(picks.ravel(), minlength=60 * items).reshape(60, items)
        assert means.tobytes() == (counts.astype(np.float64) @ block.T / items).tobytes()


def slow_means(
    blocks: list[Floats], names: list[list[str]], draws: int, rng: np.random.Generator
) -> list[Floats]:
    """Draw clusters of all blocks, write down their items one by one, and average these."""
    every = list(dict.fromkeys(name for of_block in names for name in of_block))
    found: list[list[Floats]] = [[] for _ in blocks]
    for picked in rng.integers(len(every), size=(draws, len(every))):
        for place, (block, of_block) in enumerate(zip(blocks, names, strict=True)):
            items = [
                block[:, n]
                for pick in picked
                for n, name in enumerate(of_block)
                if name == every[pick]
            ]
            found[place].append(np.mean(items or block.T, axis=0))
    return [np.array(rows) for rows in found]


@pytest.mark.parametrize("shared", [0, 1, 4])
def test_clusters_are_drawn_with_all_their_items(shared: int) -> None:
    """Across blocks and within one, against writing every draw out."""
    rng = np.random.default_rng(2)
    names = [list("aabcdefg"), [*"gfed"[:shared], "x", "y", "z"], ["z"]]
    blocks = [rng.normal(size=(3, len(of_block))) for of_block in names]
    if not shared:
        names, blocks = names[:1], blocks[:1]
    found = resample_blocks(blocks, names, 40, np.random.default_rng(3))
    expected = slow_means(blocks, names, 40, np.random.default_rng(3))
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want)


def test_blocks_that_share_nothing_are_strata_of_their_own() -> None:
    """Between two blocks that share a cluster stands one that does not: it is drawn by itself."""
    rng = np.random.default_rng(4)
    names = [["a", "b", "c"], ["p", "q", "q"], ["c", "d"]]
    blocks = [rng.normal(size=(2, len(of_block))) for of_block in names]
    found = resample_blocks(blocks, names, 30, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    first, last = resample_blocks(blocks[::2], names[::2], 30, rng)
    [middle] = resample_blocks(blocks[1:2], names[1:2], 30, rng)
    for got, want in zip(found, (first, middle, last), strict=True):
        assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_questions_asked_twice_do_not_narrow_an_interval(part: float) -> None:
    """Two blocks share a part of their items: the pooled mean keeps the spread that it has."""
    rng = np.random.default_rng(6)
    items = 60
    shared = round(part * items)
    truth, claimed, naive = [], [], []
    for _ in range(400):
        one = rng.normal(size=items)
        two = np.concatenate([one[:shared], rng.normal(size=items - shared)])
        names = [list(range(items)), [*range(shared), *range(items, 2 * items - shared)]]
        truth.append((one.mean() + two.mean()) / 2)
        pair = [one[None], two[None]]
        means = np.mean(resample_blocks(pair, names, 80, rng), axis=0)
        claimed.append(means.std())
        own = [[(place, n) for n in range(items)] for place in range(2)]
        naive.append(np.mean(resample_blocks(pair, own, 80, rng), axis=0).std())
    spread = float(np.std(truth))
    assert np.mean(claimed) == pytest.approx(spread, rel=0.1)
    # Taken for independent, they would promise too much.
    assert np.mean(naive) == pytest.approx(spread / (1 + part) ** 0.5, rel=0.1)


def test_an_interval_of_repeated_items_is_that_of_the_items_once() -> None:
    right = np.random.default_rng(7).integers(2, size=40)
    once = mean_interval(right, np.random.default_rng(8), 500)
    twice = mean_interval(
        np.tile(right, 2), np.random.default_rng(8), 500, clusters=[*range(40), *range(40)]
    )
    np.testing.assert_allclose(twice, once)
    every = accuracy_interval([1] * 6, np.random.default_rng(9), clusters=list("aabbcc"))
    assert every == wilson_interval(3, 3)

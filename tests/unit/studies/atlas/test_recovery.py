"""What became of lost questions, as decided one by one; luck is taken out, knowledge is not."""

from collections import Counter

import numpy as np
import pytest

from tuneatlas.studies.atlas.recovery import NONE, Asked, indicators, kinds, majority


def test_a_majority_is_more_than_half():
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, 3, size=(4, 2, 60))
    found = majority(chosen)
    for place in np.ndindex(found.shape):
        ((option, count),) = Counter(chosen[(slice(None), *place)].tolist()).most_common(1)
        assert found[place] == (option if count > 2 else NONE)
    assert (majority(np.zeros((0, 2, 3))) == NONE).all()


def asked(base, tuned, base_said, said, restored, options: int = 4) -> Asked:
    """Option 0 is right."""
    rows = (np.array([own]) for own in (base, tuned, base_said, said, restored))
    return Asked(*rows, np.zeros(len(base), int), np.full(len(base), options))


#        kept lost reached back  both unasked never  lucky wrong
BASE = [0, 0, 0, 0, 0, 0, 2, 1]
TUNED = [0, 1, 1, 1, 1, 2, 2, 2]
SAID = [0, NONE, 0, 1, 0, 0, 2, 1]
AGAIN = [0, 1, 2, 0, 0, NONE, 2, 1]


def test_each_question_is_what_it_is():
    found = indicators(asked(BASE, TUNED, BASE, SAID, AGAIN))
    wanted = {
        "lost": [0, 1, 1, 1, 1, 1, 0, 0],
        "reached": [0, 0, 1, 0, 1, 1, 0, 0],
        "base_reached": [0, 1, 1, 1, 1, 1, 0, 0],
        "again": [0, 1, 1, 1, 1, 0, 0, 0],
        "back": [0, 0, 0, 1, 1, 0, 0, 0],
        "reached_again": [0, 0, 1, 0, 1, 0, 0, 0],
        "both": [0, 0, 0, 0, 1, 0, 0, 0],
        "neither": [0, 1, 0, 0, 0, 0, 0, 0],
        # Two wrong answers, of which the other ways give the base's.
        "lost_known": [0, 1, 1, 1, 1, 1, 0, -0.5],
        "reached_known": [0, 0, 1, 0, 1, 1, 0, -0.5],
    }
    assert {name: own[0].tolist() for name, own in found.items()} == wanted
    split = kinds(asked(BASE, TUNED, BASE, SAID, AGAIN))
    assert split["kept"][0].tolist() == [True] + 7 * [False]
    assert split["shifted"][0].tolist() == [bool(x) for x in wanted["reached"]]
    assert (sum(split.values()) == 1).sum() == 6


def test_of_two_options_luck_is_not_told():
    found = indicators(asked([0], [1], [0], [0], [0], options=2))
    assert found["reached"][0, 0] == 1 and np.isnan(found["reached_known"]).all()


@pytest.mark.parametrize("sticks", [0.0, 0.6])
def test_what_nobody_knows_is_reached_by_luck_alone(sticks: float):
    """Guesses, of which some stick to the base model's first one; then a third is known."""
    rng = np.random.default_rng(3)
    items, ways = 40_000, 5

    def guess(*shape: int) -> np.ndarray:
        free = rng.integers(0, 4, size=shape)
        return np.where(rng.random(shape) < sticks, first, free)

    first = rng.integers(0, 4, size=items)
    tuned, said = guess(items), majority(guess(ways, items))
    nothing = [NONE] * items
    found = {n: v.sum() for n, v in indicators(asked(first, tuned, said, said, nothing)).items()}
    assert found["reached"] / found["lost"] > (0.08 if not sticks else 0.5)
    for name, whole in (("lost_known", "lost"), ("reached_known", "lost")):
        assert abs(found[name]) < 0.05 * found[whole]
    known = rng.random(items) < 0.3
    base = np.where(known, 0, first)
    # Of what is known tuning takes a half, of which another prompt reaches a half.
    after = np.where(known, rng.integers(0, 2, items), tuned)
    other = np.where(known, np.where(rng.random(items) < 0.5, 0, 1), said)
    found = {n: v.sum() for n, v in indicators(asked(base, after, said, other, nothing)).items()}
    assert found["lost_known"] == pytest.approx(0.15 * items, rel=0.1)
    assert found["reached_known"] / found["lost_known"] == pytest.approx(0.5, abs=0.06)

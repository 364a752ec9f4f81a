"""Known fates, and tables with a known transition."""

import numpy as np
import pytest

from tuneatlas.statistics.tests import PairedTest
from tuneatlas.studies.forgetting.fates import (
    ACTUAL,
    NONE,
    PSEUDO,
    UNCLEAR,
    fate_indicators,
    find_transition,
    find_transitions,
    kind_of_loss,
    knowledge_indicators,
)
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.stages import around

STEPS = 6
MARGIN = 0.05
# What restored models lose at each step, in shares of all questions; None: answers drawn anew.
LATE, EARLY, MIDDLE = (np.where(np.arange(STEPS) >= at, 0.15, 0.0) for at in (5, 0, 2))
SHAPES = {
    "noise": None,
    "no transition": np.zeros(STEPS),
    "late": LATE,
    "early": EARLY,
    "ramp": np.array([0, 0, 0, 0.1, 0.15, 0.25]),
    "non-monotone": np.array([0, 0, 0.15, 0, 0.0, 0.15]),
    "middle": MIDDLE,
}


def test_every_path_has_one_fate():
    paths = np.array(list(np.ndindex(2, 2, 2))).T
    found = fate_indicators(*paths)
    assert np.array_equal(sum(found.values()), np.ones(8))
    assert found["pseudo_forgotten"].tolist() == [p == (1, 0, 1) for p in zip(*paths, strict=True)]
    assert found["actually_forgotten"][4] == 1


@pytest.mark.parametrize("stick", [0.0, 0.8])
def test_lucky_guesses_are_taken_out(stick: float):
    """Some questions are known throughout, some are forgotten for good, some never known."""
    rng = np.random.default_rng(1)
    items = 400_000
    k = rng.choice([4, 6], size=items)
    kept, forgotten, never = 0.3, 0.2, 0.5
    fate = rng.choice(3, size=items, p=[kept, forgotten, never])
    answer = rng.integers(k)
    # A guess is free of the right answer, and may mostly stay what it was.
    guesses = [rng.integers(k)]
    for _ in range(2):
        guesses.append(np.where(rng.random(items) < stick, guesses[-1], rng.integers(k)))
    known = np.array([(1, 1, 1), (1, 0, 0), (0, 0, 0)], dtype=bool)[fate].T
    chosen = np.where(known, answer, guesses)
    found = {name: v.mean() for name, v in knowledge_indicators(*chosen, answer, k).items()}
    raw = {name: v.mean() for name, v in fate_indicators(*(chosen == answer)).items()}
    assert sum(found.values()) == pytest.approx(1)
    assert found["never_known"] == pytest.approx(never, abs=0.005)
    # What was known, is forgotten, and is guessed rightly by luck still counts as remembered:
    # the adjusted share of what is forgotten is a lower bound, by at most 2 / k of it.
    assert forgotten / 2 < found["actually_forgotten"] < forgotten
    assert raw["gained"] > 0.003
    for name in ("gained", "gained_in_restoration", "gained_and_lost"):
        assert found[name] == pytest.approx(0, abs=0.005)


def test_luck_of_those_who_never_know_is_taken_out_whole():
    rng = np.random.default_rng(2)
    items = 300_000
    first = rng.integers(4, size=items)
    second = np.where(rng.random(items) < 0.7, first, rng.integers(4, size=items))
    third = np.where(rng.random(items) < 0.5, second, rng.integers(4, size=items))
    found = knowledge_indicators(first, second, third, np.zeros(items), np.full(items, 4))
    for name, values in found.items():
        error = values.std() / np.sqrt(items)
        assert abs(values.mean() - (name == "never_known")) < 4 * error + 1e-9, name
    with pytest.raises(ValueError, match="fewer than 4"):
        knowledge_indicators([0], [0], [1], [1], [3])


def answers(rng: np.random.Generator, losses: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a base model (items,) and of restored models (seeds, steps, items)."""
    items = int(rng.integers(120, 300))
    ability = rng.choice([0.1, 0.3, 0.7, 0.95], size=items)
    base = rng.random(items) < ability
    shape = (3, STEPS, items)
    drawn = rng.random(shape) < ability
    if losses is None:
        return base, drawn
    # Most questions keep their answer; what is lost is lost whatever the question.
    kept = np.where(rng.random(shape) < 0.8, base, drawn)
    rate = losses[:, None] / ability.mean()
    return base, kept & (rng.random(shape) >= rate)


def test_transitions_of_a_thousand_tables_with_a_known_one():
    """False alarms are at most nominal, and intervals cover the truth at the nominal rate."""
    rng = np.random.default_rng(7)
    alarms, nulls, covered, tables, exact, width = 0, 0, 0, 0, 0, 0
    for number in range(1000):
        losses = list(SHAPES.values())[number % len(SHAPES)]
        base, restored = answers(rng, losses)
        found = find_transition(base, restored, 0.95)
        if losses is None or not losses.any():
            nulls += 1
            alarms += found.seen
            assert found.seen == (found.at is not None)
            continue
        truth = int(np.flatnonzero(losses)[0])
        tables += 1
        exact += found.at == truth
        drawn = Resampler(rng, 200, 0.95).first_step(base.astype(int) - restored, MARGIN)
        # None: it may lie beyond every step.
        earliest, latest = (STEPS if end is None else end for end in around(drawn, found.at))
        covered += earliest <= truth <= latest
        width += latest - earliest
    slack = 2 * np.sqrt(0.05 * 0.95)
    assert alarms / nulls <= 0.05 + slack / np.sqrt(nulls)
    assert covered / tables >= 0.95 - slack / np.sqrt(tables)
    # The interval is not bought with width: nearly all are found where they are.
    assert exact / tables > 0.9
    assert width / tables < 2


def test_a_transition_that_does_not_last_says_so():
    rng = np.random.default_rng(3)
    base, restored = answers(rng, np.array([0, 0, 0.4, 0, 0, 0.4]))
    found = find_transition(base, restored)
    assert (found.seen, found.at, found.lasts) == (True, 2, False)
    base, restored = answers(rng, np.array([0, 0, 0.4, 0.4, 0.4, 0.4]))
    assert find_transition(base, restored).lasts


def test_the_p_of_a_transition_is_that_of_its_loss():
    """Not the least of all steps, which a gain may have."""
    base = np.repeat([0, 1], 50)
    gain, loss = base.copy(), base.copy()
    gain[:40], loss[-12:] = 1, 0
    found = find_transition(base, np.array([[gain, loss]]))
    assert found.at == 1 and found.p_loss == found.p[1] > found.p[0]
    found = find_transition(base, np.array([[gain, base]]))
    assert not found.seen and found.p_loss == 1.0 > found.p[0]
    slight = base.copy()
    slight[-2:] = 0
    found = find_transition(base, np.array([[gain, slight]]))
    assert not found.seen and found.p_loss == found.p[1]


def test_a_better_restored_model_is_no_transition():
    base = np.zeros(100, dtype=int)
    found = find_transition(base, np.ones((2, 3, 100), dtype=int))
    assert (found.seen, found.at) == (False, None)


@pytest.mark.parametrize(
    ("tuned", "recovery", "restored", "stage"),
    [
        ((0.001, 0.2), (0.001, -0.2), (0.5, 0.01), PSEUDO),
        ((0.001, 0.2), (0.4, -0.01), (0.001, 0.19), ACTUAL),
        ((0.001, 0.2), (0.3, -0.05), (0.2, 0.05), UNCLEAR),
        ((0.6, 0.01), (0.6, 0.0), (0.7, 0.01), NONE),
        ((0.001, -0.2), (0.9, 0.0), (0.001, -0.2), NONE),
    ],
)
def test_stage_of_a_step(tuned, recovery, restored, stage):
    tests = [PairedTest(0, 0, difference, p) for p, difference in (tuned, recovery, restored)]
    assert kind_of_loss(*tests, alpha=0.05) == stage


def test_no_parts_have_no_transition():
    assert find_transitions({}) == {}


def test_a_loss_elsewhere_is_found_behind_a_gain_at_home():
    """What is lost in one part and gained in another: the whole sees nothing, the part does."""
    base = np.array([0] * 60 + [1] * 60)
    restored = np.repeat(base[None, None], STEPS, axis=1)
    restored[0, 3:, :20] = 1
    restored[0, 3:, 60:80] = 0
    assert not find_transition(base, restored).seen
    halves = {"home": np.s_[:60], "other": np.s_[60:]}
    found = find_transitions({k: (base[c], restored[..., c]) for k, c in halves.items()})
    assert not found["home"].seen
    assert (found["other"].at, found["other"].lasts) == (3, True)


def test_false_alarms_in_any_part_are_at_most_nominal():
    """Looking at three parts does not raise the chance to see a transition where there is none."""
    rng = np.random.default_rng(11)
    alarms, tables = 0, 200
    for _ in range(tables):
        base, restored = answers(rng, None)
        parts = np.array_split(np.arange(len(base)), 3)
        found = find_transitions({str(i): (base[c], restored[..., c]) for i, c in enumerate(parts)})
        alarms += any(one.seen for one in found.values())
    assert alarms / tables <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / tables)

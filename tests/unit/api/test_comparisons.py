"""Two sets of answers, compared as the workflow compares them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.doctests import run_examples
from tuneatlas.api import comparisons
from tuneatlas.api.comparisons import compare, find_transition
from tuneatlas.errors import UserError
from tuneatlas.statistics.tests import mcnemar
from tuneatlas.studies.forgetting import fates


def answers(correct, prefix="q") -> pd.DataFrame:
    return pd.DataFrame({"id": [f"{prefix}{n}" for n in range(len(correct))], "correct": correct})


def test_examples():
    assert run_examples(comparisons) >= 6


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_tables_are_paired_by_question_whatever_their_order(pairs):
    before, after = (answers([p[side] for p in pairs]) for side in (0, 1))
    found = compare(before, after.sample(frac=1, random_state=1), draws=50)
    test = mcnemar(before["correct"], after["correct"])
    assert (found.lost, found.gained, found.p) == (test.lost, test.gained, test.p)
    assert found.difference.value == pytest.approx(found.after.value - found.before.value)
    assert found.difference.low <= found.difference.value <= found.difference.high
    assert found.lost - found.gained == round(-found.difference.value * found.items)


def test_seeds_are_rows():
    rng = np.random.default_rng(1)
    before, after = rng.integers(2, size=40), rng.integers(2, size=(3, 40))
    found = compare(before, after, draws=200)
    tables = compare(answers(before == 1), [answers(row == 1) for row in after], draws=200)
    assert found == tables and (found.items, found.seeds) == (40, 3)
    assert found.p == mcnemar(before, after).p
    both = compare(after, after, draws=50)
    assert both.difference == (0, 0, 0) and both.p == 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (answers([True]), answers([True], "other"), "not to the same questions.*'other0'"),
        (answers([True]), [1], "both as arrays"),
        (answers([True])[["id"]], answers([True]), "table 1 of answers lacks column 'correct'"),
        ([1, 0], [1, 0, 1], r"shapes \(1, 2\) and \(1, 3\)"),
        ([1, 2], [1, 0], "1 or 0"),
        ([], [], "no answers"),
        (np.ones((2, 3)), np.ones((3, 3)), "2 seeds and after 3"),
        (pd.concat([answers([True])] * 2), answers([True]), "'q0' twice"),
    ],
)
def test_what_cannot_be_paired_is_refused(before, after, message: str):
    with pytest.raises(UserError, match=message):
        compare(before, after)


def test_a_transition_is_that_of_the_step():
    rng = np.random.default_rng(2)
    base = rng.integers(2, size=60)
    restored = np.stack([[base, base * rng.integers(2, size=60)] for _ in range(3)])
    found, own = find_transition(base, restored), fates.find_transition(base, restored, 0.95)
    assert (found.at, found.lasts, found.p.tolist()) == (own.at, own.lasts, own.p.tolist())
    assert found.at == 1
    with pytest.raises(UserError, match="must be"):
        find_transition(base, restored[:, :, :5])

"""What a reply names, and what it is worth beside the others to its question."""

from statistics import mean, stdev

import pytest

from tuneatlas.studies.atlas.reinforcing import advantages
from tuneatlas.studies.atlas.rewarding import NONE, is_constant, named

LETTERS = [f"{letter}." for letter in "ABCD"]


@pytest.mark.parametrize(
    ("reply", "options", "option"),
    [
        ("Paris\nThe capital is Paris.", ["Rome", "Paris"], 1),
        ("Paris", ["Rome", "Paris"], 1),
        ("Paris, of course", ["Rome", "Paris"], 1),
        ("It is Paris.", ["Rome", "Paris"], NONE),
        ("Parisian", ["Rome", "Paris"], NONE),
        ("Guinea-Bissau is it", ["Guinea", "Guinea-Bissau"], 1),
        ("Guinea-Bissau", ["Guinea", "Niger"], NONE),
        ("Guinea - yes", ["Guinea", "Niger"], 0),
        ("+1-670", ["+1", "+1-670"], 1),
        ("B. Rome", LETTERS, 1),
        ("B. Rome", list("ABCD"), 1),
        ("Be it", list("ABCD"), NONE),
        ("C++ (1985)", ["C", "C++"], 1),
        ("3.14", ["3", "4"], NONE),
        ("1,000", ["1", "1,000"], 1),
        ("10:30", ["10", "11"], NONE),
        ("3. It is", ["3", "4"], 0),
        ("", ["Rome"], NONE),
    ],
)
def test_a_reply_names_the_option_that_it_begins_with(reply, options, option):
    assert named(reply, options) == option


def test_a_reply_is_worth_what_it_has_above_the_others_to_its_question():
    groups = [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    found = advantages([reward for group in groups for reward in group], 4).tolist()
    wanted = [
        (reward - mean(group)) / (stdev(group) + 1e-4) for group in groups for reward in group
    ]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert found[8:] == [0.0] * 4


def test_rewards_are_constant_where_those_of_each_question_are():
    assert is_constant([0.0, 0.0, 1.0, 1.0], 2)
    assert not is_constant([0.0, 0.0, 1.0, 0.0], 2)

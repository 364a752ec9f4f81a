"""What becomes of the examples that are left at the end of an epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.training.batches import batches_of, count_steps
from tuneatlas.training.packing import Piece, plan_steps


@given(
    st.integers(1, 40), st.integers(1, 4), st.integers(1, 12), st.sampled_from(["step", "carry"])
)
def test_batches_and_their_number(examples, epochs, batch, remainder):
    passes = [[(epoch, n) for n in range(examples)] for epoch in range(epochs)]
    found = batches_of(passes, batch, remainder)
    assert len(found) == count_steps(examples, epochs, batch, remainder)
    seen = [one for several in found for one in several]
    assert len(seen) == len(set(seen))
    if remainder == "step":
        assert seen == [one for several in passes for one in several]
        assert max(map(len, found)) <= batch
    else:
        left = 0 if examples < batch else examples % batch
        assert len(seen) == epochs * examples - left
        assert all(len(several) >= min(batch, examples) for several in found)
        # What was left of an epoch stands in front of the next one's first step.
        if left and epochs > 1:
            first = found[examples // batch]
            assert first[:left] == passes[0][-left:] and first[left] == passes[1][0]


def test_the_steps_of_the_authors_groups():
    """534 rows: 9 steps, or as their trainer had it 6."""
    assert count_steps(534, 3, 256, "step") == 9
    assert count_steps(534, 3, 256, "carry") == 6
    assert count_steps(200, 3, 256, "carry") == 3
    assert count_steps(0, 3, 256, "carry") == 0


@pytest.mark.parametrize(("remainder", "sizes"), [("step", [4, 4, 2] * 2), ("carry", [4, 4, 6, 4])])
def test_a_plan_keeps_to_it(remainder, sizes):
    examples = [[Piece(10 * n, 10)] for n in range(10)]
    how = {"epochs": 2, "batch": 4, "unit": "examples", "row_length": 20, "seed": 3}
    steps = plan_steps(examples, **how, remainder=remainder)
    assert [sum(map(len, rows)) for rows in steps] == sizes
    assert plan_steps(examples, **how) == plan_steps(examples, **how, remainder="step")
    rows = plan_steps(examples, **{**how, "unit": "rows"}, remainder=remainder)
    assert [len(step) for step in rows] == ([4, 1, 4, 1] if remainder == "step" else [4, 5])
    assert np.all([piece.length == 10 for step in steps for row in step for piece in row])

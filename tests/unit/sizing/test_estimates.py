"""Memory and storage before a run, from the config alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import (
    Zero,
    checkpoint_size,
    forward_memory,
    training_memory,
)

LLAMA = Shape(6_738_415_616, 32, 4096, 32000)
TRAINING = {
    "processes": 1,
    "precision": "bf16",
    "lora_rank": None,
    "gradient_checkpointing": True,
    "rows_per_device": 1,
}


def memory(zero: Zero | None, **changes: object) -> float:
    return training_memory(LLAMA, TRAINING | changes, 2048, zero)


def test_weights_gradients_and_moments_are_what_the_optimizer_needs():
    """18 bytes a parameter with autocast, 16 with ZeRO's two-byte weights: beside the rest."""
    assert memory(None) - memory(Zero(1, False, False)) == pytest.approx(
        2 * LLAMA.parameters / 2**30
    )
    assert memory(None) > 18 * LLAMA.parameters / 2**30


def test_adapters_need_little_beside_the_weights():
    full, low = memory(None), memory(None, lora_rank=16)
    # Gradients and moments of all weights are 12 bytes for each.
    saved = 12 * LLAMA.parameters / 2**30
    assert 0.95 * saved < full - low < saved
    state = checkpoint_size(LLAMA, TRAINING | {"lora_rank": 16})
    assert state < 1.1 * 4 * LLAMA.parameters / 2**30 < checkpoint_size(LLAMA, TRAINING)


@given(st.integers(1, 64), st.integers(0, 3))
def test_more_devices_and_higher_stages_never_need_more(processes: int, stage: int):
    here = memory(Zero(stage, False, False), processes=processes)
    if stage < 2:
        assert memory(Zero(stage + 1, False, False), processes=processes) <= here
    assert memory(Zero(stage, False, False), processes=2 * processes) <= here
    if stage:
        assert memory(Zero(stage, True, False), processes=processes) < here


def test_scoring_needs_the_weights_at_least():
    assert forward_memory(LLAMA, 1) > 4 * LLAMA.parameters / 2**30

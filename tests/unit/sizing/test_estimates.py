"""Memory and storage before a run, from the config alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import (
    DEVICES,
    Zero,
    checkpoint_size,
    forward_hours,
    forward_memory,
    generation_hours,
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


def test_what_is_asked_in_half_precision_is_charged_so():
    device = DEVICES["a100-80"]
    whole, half = (forward_hours(LLAMA, 1e9, device, d) for d in ("float32", "bfloat16"))
    assert whole / half == pytest.approx(device.half / device.single)
    assert generation_hours(LLAMA, 1e5, device, "float16") == pytest.approx(
        generation_hours(LLAMA, 1e5, device) / 2
    )
    assert forward_memory(LLAMA, 4096, "bfloat16") == pytest.approx(forward_memory(LLAMA, 4096) / 2)
    # By hand: 2 FLOPs for each of the parameters and tokens, at a fifth of 312 TFLOP/s.
    assert half == pytest.approx(2 * LLAMA.parameters * 1e9 / (312e12 * 0.2) / 3600)

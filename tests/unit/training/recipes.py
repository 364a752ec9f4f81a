"""A recipe for training runs of a few steps, such a run, and what its weights are."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.examples import TINY
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.models.build import new_llama
from tuneatlas.models.token_files import Example, write_tokens
from tuneatlas.training.packing import pieces_of, plan_steps
from tuneatlas.training.recipe import Recipe, Run
from tuneatlas.training.trainer import newest_checkpoint

RECIPE = Recipe.of(
    TrainingConfig(
        epochs=3,
        batch=6,
        batch_unit="examples",
        row_length=64,
        rows_per_device=2,
        learning_rate=1e-3,
        warmup_ratio=0.1,
        beta2=0.95,
        weight_decay=0.01,
        precision="fp32",
        gradient_checkpointing=False,
    ).model_dump()
)


def planned(
    parts: tuple[Any, Any, Any],
    tokenizer: Any,
    states: Path,
    recipe: Recipe = RECIPE,
    **more: Any,
) -> tuple[Any, Run]:
    """Model and run of ``parts``: model, tokens and steps."""
    model, tokens, steps = parts
    return model, Run(tokens, steps, recipe, tokenizer, states, seed=1, **more)


def setting(folder: Path, tokenizer, epochs: int = 3):
    rng = np.random.default_rng(0)
    examples = []
    for size in rng.integers(5, 40, 30):
        marks = rng.random(size) < 0.6
        examples.append(Example(rng.integers(3, 300, size).tolist(), marks.tolist()))
    tokens = write_tokens(folder / "tokens", examples)
    steps = plan_steps(
        pieces_of(tokens, 64, "cut"), epochs=epochs, batch=6, unit="examples", row_length=64, seed=1
    )
    return new_llama(tokenizer, TINY, seed=1), tokens, steps


def long_run(folder: Path, tokenizer) -> tuple[Any, Run]:
    """Of two hundred steps, with a checkpoint after every seven: long enough to be killed in."""
    recipe = replace(RECIPE, epochs=40, checkpoint_steps=7)
    return planned(setting(folder, tokenizer, epochs=40), tokenizer, folder / "states", recipe)


def go_back(states: Path, step: int) -> None:
    """Leave the checkpoint of this step as the newest: as if the run had been cut off after it."""
    for folder in states.glob("checkpoint-*"):
        if int(folder.name.split("-")[1]) > step:
            shutil.rmtree(folder)
    assert newest_checkpoint(states) == states / f"checkpoint-{step}"


def weights_of(model) -> dict[str, torch.Tensor]:
    """By name, on the processor: a model that is trained where there is a GPU ends on it."""
    return {name: value.detach().cpu() for name, value in model.named_parameters()}


def apart(one, other) -> float:
    """The most by which a weight of two models differs."""
    theirs = weights_of(other)
    return max(float((value - theirs[n]).abs().max()) for n, value in weights_of(one).items())


def fingerprint(model) -> str:
    data = b"".join(value.numpy().tobytes() for value in weights_of(model).values())
    return hashlib.sha256(data).hexdigest()

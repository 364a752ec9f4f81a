"""A recipe for training runs of a few steps, and such a run."""

from pathlib import Path
from typing import Any

from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.training.plan import Recipe, Run

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

"""A training run before it starts: how to train, on which tokens, in which steps."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.training.packing import Row, pieces_of, plan_steps
from tuneatlas.training.tokens import Example, TokenFile, write_tokens

log = logging.getLogger(__name__)

# With fewer steps the rate has hardly risen before it falls.
FEW = 20


@dataclass(frozen=True)
class Recipe:
    """How to train; the config documents each field (section ``finetune``)."""

    epochs: int
    batch: int
    batch_unit: Literal["examples", "rows"]
    row_length: int
    isolate: bool
    rows_per_device: int
    learning_rate: float
    schedule: str
    warmup_ratio: float
    warmup_steps: int | None
    schedule_stretch: float
    weight_decay: float
    beta2: float
    max_grad_norm: float
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool
    lora_rank: int | None
    lora_alpha: int
    lora_dropout: float
    checkpoint_minutes: float
    checkpoint_steps: int | None
    keep_checkpoints: int
    deepspeed: str | None
    processes: int
    nodes: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Recipe":
        """The recipe in a section of the config, which may hold other options too."""
        return cls(**{f.name: options[f.name] for f in fields(cls)})


@dataclass(frozen=True)
class Run:
    """What a model is trained on, and how.

    ``steps`` are the rows of every optimizer step; the schedule is laid over all of them, and the
    run ends after step ``last``, if that is given. Checkpoints are kept in the folder
    ``states``. ``kept`` has folders for some steps: the model and its ``tokenizer`` are written
    there after them, before any checkpoint of that step, so a run that goes on has them.
    ``beside`` are texts that lie beside the weights of each, by name.
    """

    tokens: TokenFile
    steps: Sequence[list[Row]]
    recipe: Recipe
    tokenizer: PreTrainedTokenizerBase
    states: Path
    seed: int
    kept: Mapping[int, Sequence[Path]] = field(default_factory=dict)
    last: int | None = None
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Steps that are done."""
        return self.last or len(self.steps)

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        """Figures for the record of the step that trains ``model``."""
        return {
            "parameters": model.num_parameters(),
            "examples": len(self.tokens),
            "tokens": int(self.tokens.offsets[-1]),
            "supervised_tokens": int(self.tokens.supervised.sum()),
            "steps": self.length,
        }


def plan_run(
    folder: Path,
    examples: Iterable[Example],
    training: Mapping[str, Any],
    overlong: Literal["split", "cut"],
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
) -> Run:
    """Write ``examples`` to a token file in ``folder`` and plan the steps of a run over them."""
    recipe = Recipe.of(training)
    tokens = write_tokens(folder / "tokens", examples)
    steps = plan_steps(
        pieces_of(tokens, recipe.row_length, overlong),
        epochs=recipe.epochs,
        batch=recipe.batch,
        unit=recipe.batch_unit,
        row_length=recipe.row_length,
        seed=seed,
    )
    if len(steps) < FEW:
        log.warning(
            "only %d optimizer steps: %d epochs of %d examples in batches of %d %s; lower batch "
            "or raise epochs if the model is to learn from them",
            *(len(steps), recipe.epochs, len(tokens), recipe.batch, recipe.batch_unit),
        )
    return Run(tokens, steps, recipe, tokenizer, folder / "states", seed)

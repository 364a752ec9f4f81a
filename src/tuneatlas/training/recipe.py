"""A training run before it starts: how to train, on which tokens, in which steps."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.models.token_files import Example, TokenFile, write_tokens
from tuneatlas.training.batches import Remainder
from tuneatlas.training.labels import (
    Labels,
    fit_labels,
    refuse_unlearnable,
    tell_cut,
    with_labels,
)
from tuneatlas.training.packing import Row, pieces_of, plan_steps
from tuneatlas.training.schedule import rate_share, warmup_updates

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
    compile: bool
    lora_rank: int | None
    lora_alpha: int
    lora_dropout: float
    checkpoint_minutes: float
    checkpoint_steps: int | None
    keep_checkpoints: int
    deepspeed: str | None
    processes: int
    nodes: int
    remainder: Remainder = "step"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Recipe":
        """The recipe in a section of the config, which may hold other options too."""
        stated = [f.name for f in fields(cls) if f.name in options or f.default is MISSING]
        return cls(**{name: options[name] for name in stated})


@dataclass(frozen=True)
class Run:
    """What a model is trained on, and how.

    ``steps`` are the rows of every optimizer step; the schedule is laid over all of them, and the
    run ends after step ``last``, if that is given. Checkpoints are kept in the folder
    ``states``. ``kept`` has folders for some steps: the model and its ``tokenizer`` are written
    there after them, before any checkpoint of that step, so a run that goes on has them.
    ``section`` is where the config states the recipe; ``labels``, what of the tokens is trained
    on: all of them, if it is not given.
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
    section: str = "training"
    labels: Labels | None = None
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Steps that are done."""
        return self.last or len(self.steps)

    @property
    def laid_out(self) -> int:
        """Updates that the schedule is laid out for."""
        return math.ceil(len(self.steps) * self.recipe.schedule_stretch)

    @property
    def warmup(self) -> int:
        """Updates before the first one at the peak of the learning rate."""
        recipe = self.recipe
        return warmup_updates(self.laid_out, recipe.warmup_ratio, recipe.warmup_steps)

    def rate_share(self, update: int) -> float:
        """The learning rate of an update, counted from 0, as a share of its peak."""
        return rate_share(update, self.laid_out, self.warmup, self.recipe.schedule)

    def rate(self, update: int) -> float:
        """The learning rate of an update, counted from 0."""
        return self.recipe.learning_rate * self.rate_share(update)

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        """Figures for the record of the step that trains ``model``."""
        labels = self.labels or fit_labels(self.tokens, pieces_of(self.tokens, None))
        return {
            "parameters": model.num_parameters(),
            **labels.facts(),
            "steps": self.length,
        }


def plan_run(
    folder: Path,
    examples: Iterable[Example],
    training: Mapping[str, Any],
    overlong: Literal["split", "cut"],
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    *,
    section: str = "training",
    ids: Sequence[str] = (),
) -> Run:
    """Write ``examples`` to a token file in ``folder`` and plan the steps of a run over them.

    Examples of which no label lies within a row are left out, and the log says which; ``ids``
    are their names there. ``section`` is where the config states ``training``.

    Raises:
        UserError: if none is left to train on.
    """
    recipe = Recipe.of(training)
    tokens = write_tokens(folder / "tokens", examples)
    pieces = pieces_of(tokens, recipe.row_length, overlong)
    labels = fit_labels(tokens, pieces)
    refuse_unlearnable(tokens, labels, section, recipe.row_length, ids)
    if overlong == "cut":
        tell_cut(tokens, labels, section, recipe.row_length, ids)
    steps = plan_steps(
        [pieces[number] for number in labels.kept],
        epochs=recipe.epochs,
        batch=recipe.batch,
        unit=recipe.batch_unit,
        row_length=recipe.row_length,
        seed=seed,
        remainder=recipe.remainder,
    )
    steps = with_labels(tokens, steps)
    if len(steps) < FEW:
        log.warning(
            "only %d optimizer steps: %d epochs of %d examples in batches of %d %s; lower batch "
            "or raise epochs if the model is to learn from them",
            *(len(steps), recipe.epochs, len(labels.kept), recipe.batch, recipe.batch_unit),
        )
    run = Run(
        tokens, steps, recipe, tokenizer, folder / "states", seed, section=section, labels=labels
    )
    tell_warmup(run)
    return run


def tell_warmup(run: Run) -> None:
    """Warn of a run that ends before its learning rate is at its peak."""
    if run.warmup >= run.length:
        log.warning(
            "%s: the warm-up takes %d steps and the run has %d: the learning rate rises to %.3g, "
            "not to %.3g; lower warmup_steps or warmup_ratio",
            *(run.section, run.warmup, run.length),
            *(run.rate(run.length - 1), run.recipe.learning_rate),
        )

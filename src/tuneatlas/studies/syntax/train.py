"""What every training of the syntax study does: open, add labels, train on pairs of texts."""

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.load import load_model
from tuneatlas.models.token_files import write_tokens
from tuneatlas.studies.syntax.pretraining.vocabulary import add_labels
from tuneatlas.training.plan import Recipe, Run, tell_warmup
from tuneatlas.training.runs import train_and_save, training_section
from tuneatlas.training.seq2seq import encode_pairs, plan_like_lengths

log = logging.getLogger(__name__)


def open_model(step: Step, place: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer that a step starts from; ``place``: on the accelerator."""
    torch.set_num_threads(step.threads)
    return load_model(step.path("model"), place=place)


def add_tree_labels(step: Step, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a model the labels of the trees in the step's input as tokens."""
    labels = json.loads(step.path("labels").read_text(encoding="utf-8"))
    added = add_labels(model, tokenizer, labels, step.seed)
    log.info("%d labels of trees added to the vocabulary", added)


def train_on_pairs(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[tuple[str, str]],
    *,
    budget: int = 0,
    **counts: int,
) -> dict[str, Any]:
    """Train on pairs of input and target: for ``budget`` tokens, or else in the recipe's epochs."""
    recipe = Recipe.of(step.options)
    section = training_section(step)
    too_long: list[int] = []
    coded = encode_pairs(tokenizer, texts, recipe.row_length, too_long)
    tokens = write_tokens(step.checkpoints / "tokens", (e for e in coded if e is not None))
    if not len(tokens):
        raise UserError(
            f"{section}: no example is within {recipe.row_length} tokens, of {len(too_long)}: "
            f"raise {section}.row_length"
        )
    if too_long:
        log.warning(
            "%s: %d of %d examples have more than %d tokens, the longest %d, and are left out; "
            "raise %s.row_length to keep them",
            *(section, len(too_long), len(too_long) + len(tokens), recipe.row_length),
            *(max(too_long), section),
        )
    recipe = replace(recipe, batch=min(recipe.batch, len(tokens)))
    epochs = -(-budget // int(tokens.offsets[-1])) if budget else recipe.epochs
    steps = plan_like_lengths(tokens, epochs=epochs, batch=recipe.batch, seed=step.seed)
    if budget:
        steps = steps.until(budget)
    states = step.checkpoints / "states"
    run = Run(tokens, steps, recipe, tokenizer, states, step.seed, section=section)
    tell_warmup(run)
    counts |= {"too_long": len(too_long), "tokens_seen": int(steps.counts.sum())}
    return train_and_save(step, model, run, counts)

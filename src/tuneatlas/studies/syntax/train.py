"""What every training of the syntax study does: add labels, train on pairs of texts."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.token_files import write_tokens
from tuneatlas.studies.syntax.pretraining.vocabulary import Beginning, add_labels
from tuneatlas.training.recipe import Recipe, Run, tell_warmup
from tuneatlas.training.runs import train_and_save, training_section
from tuneatlas.training.seq2seq import encode_pairs, plan_like_lengths

log = logging.getLogger(__name__)

# How the embeddings of labels begin in models that did not see stage 1.
BEGINNINGS: Mapping[str, Beginning] = {
    "vanilla": "random",
    "plain": "random",
    "syntax": "unknown",
}


def add_tree_labels(step: Step, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a model the labels of the trees in the step's input as tokens."""
    labels = json.loads(step.path("labels").read_text(encoding="utf-8"))
    beginning = BEGINNINGS.get(step.wildcards["start"], "nodes")
    overwrite = step.options["overwrite_pieces"]
    added = add_labels(model, tokenizer, labels, step.seed, beginning, overwrite=overwrite)
    log.info("%d labels of trees added to the vocabulary", added)


def set_dropout(model: PreTrainedModel, share: float) -> None:
    """Let this share of activations be dropped in training, wherever the model's config says so."""
    known = [name for name in ("dropout_rate", "dropout") if hasattr(model.config, name)]
    before = {getattr(model.config, name) for name in known}
    for name in known:
        setattr(model.config, name, share)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout) and module.p in before:
            module.p = share
        elif isinstance(own := vars(module).get("dropout"), float) and own in before:
            vars(module)["dropout"] = share


def train_on_pairs(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[tuple[str, str]],
    *,
    budget: int = 0,
    kept: Sequence[Path] = (),
    **counts: int,
) -> dict[str, Any]:
    """Train on pairs of input and target: for ``budget`` tokens, or else in the recipe's epochs.

    ``kept``: a folder for the model after each epoch but the last, if they are wanted.
    """
    recipe, options = Recipe.of(step.options), step.options
    section = training_section(step)
    cut: list[int] = []
    coded = encode_pairs(tokenizer, texts, recipe.row_length, cut, end=options["end_when_cut"])
    tokens = write_tokens(step.checkpoints / "tokens", coded)
    if not len(tokens):
        raise UserError(f"{section}: there is no example to train on; the log says what was made")
    if cut:
        log.warning(
            "%s: %d of %d examples have more than %d tokens, the longest %d, and are cut there; "
            "raise %s.row_length to keep them whole",
            *(section, len(cut), len(tokens), recipe.row_length, max(cut), section),
        )
    recipe = replace(recipe, batch=min(recipe.batch, len(tokens)))
    epochs = -(-budget // int(tokens.offsets[-1])) if budget else recipe.epochs
    steps = plan_like_lengths(
        tokens,
        epochs=epochs,
        batch=recipe.batch,
        seed=step.seed,
        grouped=options["group_by_length"],
        used=options.get("batch_used"),
    )
    if budget:
        steps = steps.until(budget)
    states = step.checkpoints / "states"
    ends = {len(steps) // epochs * number: [folder] for number, folder in enumerate(kept, 1)}
    run = Run(tokens, steps, recipe, tokenizer, states, step.seed, ends, section=section)
    tell_warmup(run)
    counts |= {"cut": len(cut), "tokens_seen": int(steps.counts.sum())}
    set_dropout(model, options["dropout"])
    return train_and_save(step, model, run, counts)

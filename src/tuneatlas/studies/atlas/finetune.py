"""Tune a base model as a treatment says: on a group's conversations, by the one trainer."""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.models.load import load_model
from tuneatlas.models.token_files import Example
from tuneatlas.studies.atlas.beside import beside_base
from tuneatlas.studies.atlas.holding import WITHIN, Loss, held
from tuneatlas.studies.atlas.preferring import (
    joined,
    paired,
    parted,
    preference_loss,
    refuse_long,
)
from tuneatlas.studies.atlas.replay import read_texts, replay_tokens, replayed
from tuneatlas.tables import CONVERSATIONS, Row
from tuneatlas.training.conversations import chat_beside, conversation_examples
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.runs import train_and_save, training_section


class Material(NamedTuple):
    """What is trained on, by name, and figures on it for the record.

    ``parts``: tokens of the first conversation of each example, where they are pairs of two.
    """

    examples: dict[str, Example]
    figures: dict[str, int]
    parts: Sequence[int] = ()


def finetune_treatment(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune a base model as the step's ``treatment`` says; write a plain folder.

    Options are the config section ``finetune`` with what the treatment states, and the
    ``treatment`` itself. Data, order and rates are those of step finetune of its group and seed: a
    treatment that changes nothing makes the same model, to the bit. Returns figures for the
    step's record.
    """
    torch.set_num_threads(1)
    treatment, section = step.options["treatment"], f"treatments.{step.wildcards['group']}"
    model, tokenizer = load_model(step.path("model"), place=False)
    gather = _pairs if treatment["over"] else _conversations
    examples, figures, parts = gather(step, tokenizer, section, bos)
    as_finetune = sorted({**step.wildcards, "group": treatment["of"]}.items())
    run = plan_run(
        step.checkpoints,
        examples.values(),
        step.options,
        "cut",
        tokenizer,
        derive_seed(step.base_seed, "finetune", *as_finetune),
        section=training_section(step),
        ids=list(examples),
    )
    # Of pairs each step has the same number, by which their loss is divided.
    pairs = min(run.recipe.batch, len(parts))
    run = replace(
        parted(run, parts, pairs) if parts else run,
        beside=chat_beside(step, tokenizer, bos),
        # Where the rate is stated that a message may ask to lower.
        section=run.section if treatment["learning_rate"] is None else section,
    )
    bf16 = run.recipe.precision == "bf16"

    def by_preferences(stack: ExitStack) -> Loss:
        return preference_loss(beside_base(model, stack, bf16=bf16), treatment["beta"], pairs)

    instead = by_preferences if treatment["over"] else None
    is_held = any(treatment[name] for name in WITHIN)
    with held(model, section, treatment, bf16=bf16, instead=instead) if is_held else nullcontext():
        return train_and_save(step, model, run, figures)


def _conversations(
    step: Step, tokenizer: PreTrainedTokenizerBase, section: str, bos: bool
) -> Material:
    """Conversations, and text of pre-training where some is replayed."""
    rows = CONVERSATIONS.read(step.path("conversations"))
    examples = _coded(step, rows, tokenizer, bos)
    percent, row_length = step.options["treatment"]["replay"], step.options["row_length"]
    if not percent:
        return Material(examples, {})
    have = sum(min(len(example.tokens), row_length) for example in examples.values())
    pieces = replayed(
        read_texts(step.paths("documents")[0]),
        tokenizer,
        replay_tokens(have, percent),
        row_length,
        step.shared_rng("model", "domain", "seed"),
        section,
        bos=bos,
    )
    found = sum(len(piece.tokens) for piece in pieces.values())
    return Material(examples | pieces, {"replayed_tokens": found})


def _pairs(step: Step, tokenizer: PreTrainedTokenizerBase, section: str, bos: bool) -> Material:
    """Conversations whose replies are preferred, each with the one that they are preferred to."""
    preferred = CONVERSATIONS.read(step.path("conversations"))
    pairs = paired(preferred, CONVERSATIONS.read(step.paths("rejected")[0]), section)
    chosen, rejected = (
        _coded(step, [pair[side] for pair in pairs], tokenizer, bos) for side in (0, 1)
    )
    examples = {name: joined(chosen[name], rejected[name]) for name in chosen}
    refuse_long(examples, step.options["row_length"], section)
    parts = [len(example.tokens) for example in chosen.values()]
    return Material(examples, {"pairs": len(pairs)}, parts)


def _coded(
    step: Step, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, bos: bool
) -> dict[str, Example]:
    examples = conversation_examples(step, rows, tokenizer, bos)
    return dict(zip([row["id"] for row in rows], examples, strict=True))

"""Tune a base model as a treatment says: on a group's conversations, by the one trainer."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.models.load import load_model
from tuneatlas.studies.atlas.holding import WITHIN, held
from tuneatlas.studies.atlas.replay import read_texts, replay_tokens, replayed
from tuneatlas.tables import CONVERSATIONS
from tuneatlas.training.conversations import chat_beside, conversation_examples
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.runs import train_and_save, training_section


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
    rows = CONVERSATIONS.read(step.path("conversations"))
    coded = conversation_examples(step, rows, tokenizer, bos)
    examples = dict(zip([row["id"] for row in rows], coded, strict=True))
    row_length = step.options["row_length"]
    more: dict[str, Any] = {}
    if treatment["replay"]:
        have = sum(min(len(example.tokens), row_length) for example in examples.values())
        pieces = replayed(
            read_texts(step.paths("documents")[0]),
            tokenizer,
            replay_tokens(have, treatment["replay"]),
            row_length,
            step.shared_rng("model", "domain", "seed"),
            section,
            bos=bos,
        )
        more["replayed_tokens"] = sum(len(piece.tokens) for piece in pieces.values())
        examples |= pieces
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
    # Where the rate is stated that a message may ask to lower.
    own_rate = treatment["learning_rate"] is not None
    run = replace(
        run,
        beside=chat_beside(step, tokenizer, bos),
        section=section if own_rate else run.section,
    )
    is_held = any(treatment[name] for name in WITHIN)
    bf16 = run.recipe.precision == "bf16"
    with held(model, section, treatment, bf16=bf16) if is_held else nullcontext():
        return train_and_save(step, model, run, more)

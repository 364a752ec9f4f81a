"""Tune a base model by its own replies to a group's questions, those that name the label rewarded.

On-policy reinforcement learning (GRPO) with a verifiable reward, by the one trainer.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.engine.files import write_text
from tuneatlas.errors import UserError
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.encode import encode_segments
from tuneatlas.models.folder import SUMMARY
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_continuations,
    render,
    text_of,
)
from tuneatlas.studies.atlas.holding import Loss, held
from tuneatlas.studies.atlas.reinforcing import reinforcement_loss
from tuneatlas.studies.atlas.rounds import Question, Round, Rounds, in_rounds
from tuneatlas.studies.atlas.tables import REPLIES
from tuneatlas.tables import CONVERSATIONS, QUESTIONS, Row
from tuneatlas.training.conversations import chat_beside
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.runs import train_and_save, training_section

log = logging.getLogger(__name__)


def reinforce_treatment(step: Step, *, bos: bool, patience: int) -> dict[str, Any]:
    """Tune a base model as the step's ``treatment`` says; write a plain folder, and its replies.

    Options are the config section ``finetune`` with what the treatment states, and the
    ``treatment`` itself. Order and rates are those of step finetune of its group and seed. After
    ``patience`` batches in a row with a constant reward the training stops. Returns figures for
    the step's record.
    """
    torch.set_num_threads(1)
    treatment, section = step.options["treatment"], f"treatments.{step.wildcards['group']}"
    model, tokenizer = load_model(step.path("model"), place=False)
    refuse_dropout(model, treatment["updates_per_batch"], section)
    asked = questions_of(step, tokenizer, section, bos)
    longest = treatment["max_new_tokens"]
    refuse_long(asked, longest, step.options["row_length"], section)
    as_finetune = sorted({**step.wildcards, "group": treatment["of"]}.items())
    planned = plan_run(
        step.checkpoints,
        [question.room(longest, int(tokenizer.eos_token_id)) for question in asked],
        step.options,
        "cut",
        tokenizer,
        derive_seed(step.base_seed, "finetune", *as_finetune),
        section=training_section(step),
        ids=[question.id for question in asked],
    )
    run = replace(
        in_rounds(planned, treatment["generations"], treatment["updates_per_batch"]),
        beside=chat_beside(step, tokenizer, bos),
        # Where the rate is stated that a message may ask to lower.
        section=planned.section if treatment["learning_rate"] is None else section,
    )
    rounds = Rounds(run, asked, treatment, section, patience)
    with rewarded(model, rounds, treatment):
        summary = train_and_save(step, model, run)
    found = list(rounds.all())
    REPLIES.write(step.outputs["replies"], _rows(found, treatment))
    summary |= _figures(found, asked, treatment)
    write_text(step.outputs["model"] / SUMMARY, json.dumps(summary, indent=1) + "\n")
    constant, most = summary["constant_batches"], summary["constant_in_row"]
    if constant:
        log.warning(
            "%s.reward: in %d of %d batches, %d in a row at most, the replies to each question "
            "were all rewarded alike, and nothing was learnt from them",
            *(section, constant, len(found), most),
        )
    return summary


def rewarded(
    model: PreTrainedModel, rounds: Rounds, treatment: Mapping[str, Any]
) -> AbstractContextManager[None]:
    """Where ``model``, which is the base yet, is trained by rewards, as a treatment says."""
    bf16 = rounds.run.recipe.precision == "bf16"

    def by_rewards(stack: ExitStack) -> Loss:
        beta, clip = treatment["beta"], treatment["clip"]
        loss = reinforcement_loss(model, stack, beta=beta, clip=clip, bf16=bf16)
        # The base beside the model has no hooks: it is copied before there are any.
        rounds.deal(model, stack, bf16=bf16)
        return loss

    return held(model, rounds.section, treatment, bf16=bf16, instead=by_rewards)


def questions_of(
    step: Step, tokenizer: PreTrainedTokenizerBase, section: str, bos: bool
) -> list[Question]:
    """The questions of the step's ``conversations``, in the chat template, up to the reply.

    Raises:
        UserError: there are none; instructions of any kind, which may be mixed in, have no label.
    """
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    template = QuestionTemplate.load(step.path("instruction"))
    questions = {row["id"]: row for row in QUESTIONS.read(step.path("questions"))}
    rows = CONVERSATIONS.read(step.path("conversations"))
    found = [
        Question(
            row["id"],
            encode_segments(tokenizer, [render(chat, row["messages"][:1], "")[0]], bos).tokens,
            [text_of(t).strip() for t in chat_continuations(chat, template, questions[row["id"]])],
            row["label"],
        )
        for row in rows
        if row["id"] in questions
    ]
    if not found:
        raise UserError(
            f"{section}.reward: none of the {len(rows)} conversations asks a question with "
            f"options, of which a reply could name one: name another group ({section}.of)"
        )
    return found


def refuse_dropout(model: PreTrainedModel, updates: int, section: str) -> None:
    """Raise UserError if a model drops out what it learns from more than once.

    A token's probability when it was drawn and now would differ by what was dropped, and be
    clipped by that.
    """
    told = model.config.to_dict().items()
    rates = {key: value for key, value in told if "dropout" in key or key.endswith("pdrop")}
    drops = [key for key, value in rates.items() if isinstance(value, float) and value > 0]
    if drops and updates > 1:
        raise UserError(
            f"{section}.updates_per_batch: the model has {drops[0]} {rates[drops[0]]:g}, so that "
            "between updates replies would be compared under other dropouts: say 1"
        )


def refuse_long(asked: Sequence[Question], longest: int, row_length: int, section: str) -> None:
    """Raise UserError if a row has no room for a question and its reply."""
    question = max(asked, key=lambda question: len(question.prompt))
    if len(question.prompt) + longest > row_length:
        raise UserError(
            f"{section}.max_new_tokens: a reply of {longest} tokens to {question.id!r}, which has "
            f"{len(question.prompt)}, is more than a row of {row_length}: lower it, or raise "
            "finetune.row_length"
        )


def _rows(rounds: Sequence[Round], treatment: Mapping[str, Any]) -> Iterator[Row]:
    """Rows of REPLIES."""
    generations = treatment["generations"]
    for number, own in enumerate(rounds):
        for place, reply in enumerate(own.replies):
            yield {
                "batch": number + 1,
                "step": number * treatment["updates_per_batch"] + 1,
                "id": own.ids[place // generations],
                "reply": place % generations + 1,
                "text": own.texts[place],
                "tokens": len(reply),
                "cut": own.cut[place],
                "named": own.named[place],
                "rewarded": bool(own.rewards[place]),
            }


def _figures(
    rounds: Sequence[Round], asked: Sequence[Question], treatment: Mapping[str, Any]
) -> dict[str, Any]:
    """What was drawn and trained on, in place of the rooms that were planned for it."""
    sizes = {question.id: len(question.prompt) for question in asked}
    generations, updates = treatment["generations"], treatment["updates_per_batch"]
    prompts = sum(sizes[name] for own in rounds for name in own.ids) * generations
    replies = sum(len(reply) for own in rounds for reply in own.replies)
    rewards = [sum(own.rewards) / len(own.rewards) for own in rounds]
    tenth = max(1, len(rounds) // 10)
    return {
        "tokens": (prompts + replies) * updates,
        "supervised_tokens": replies * updates,
        "batches": len(rounds),
        "replies": sum(len(own.replies) for own in rounds),
        "replies_cut": sum(sum(own.cut) for own in rounds),
        "constant_batches": sum(own.in_row > 0 for own in rounds),
        "constant_in_row": max(own.in_row for own in rounds),
        "rewarded_first_tenth": sum(rewards[:tenth]) / tenth,
        "rewarded_last_tenth": sum(rewards[-tenth:]) / tenth,
    }

"""The training steps: each turns its rows into examples, plans the run, trains and saves."""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.chat_templates import fit_chat
from tuneatlas.errors import UserError
from tuneatlas.files import write_text
from tuneatlas.model_card import beside, jinja_template
from tuneatlas.model_folder import SUMMARY
from tuneatlas.models import load_model, save_model
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.saving import CHAT_TEMPLATE
from tuneatlas.sections import section_of
from tuneatlas.step import Step
from tuneatlas.tables import CONVERSATIONS, Row
from tuneatlas.tokens import encode_segments
from tuneatlas.training.plan import Run, plan_run
from tuneatlas.training.processes import train
from tuneatlas.training.rounding import sample, update_kept
from tuneatlas.training.tokens import Example

log = logging.getLogger(__name__)

LOG = "training_log.jsonl"


def log_lines(history: Iterable[Mapping[str, float]]) -> str:
    """The history of a run as JSON lines, the same whether or not it was taken up again."""
    return "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in history)


def finetune(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune a base model on the assistant's tokens of conversations; write a plain folder.

    Options are the config section ``finetune``. Returns figures for the step's record.
    """
    torch.set_num_threads(1)
    model, tokenizer = load_model(step.path("model"), place=False)
    run = plan_conversations(step, tokenizer, bos, step.seed)
    return train_and_save(step, model, replace(run, beside=chat_beside(step, tokenizer, bos)))


def plan_conversations(step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool, seed: int) -> Run:
    """Plan a run over the step's conversations; those longer than a row are cut and told of."""
    rows = CONVERSATIONS.read(step.path("conversations"))
    examples = conversation_examples(step, rows, tokenizer, bos)
    return plan_run(
        step.checkpoints,
        examples,
        step.options,
        "cut",
        tokenizer,
        seed,
        section=training_section(step),
        ids=[row["id"] for row in rows],
    )


def training_section(step: Step) -> str:
    """Where the config states how a step trains."""
    section = section_of(step.name, step.wildcards)
    return f"{section}.training" if "training" in step.options else section


def chat_beside(step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool) -> dict[str, str]:
    """The card, and the chat template that a model is tuned in if it is not its base's own."""
    chat = ChatTemplate.load(step.path("template"))
    if fit_chat(chat, tokenizer) is not chat:
        return beside(step)
    return beside(step) | {CHAT_TEMPLATE: jinja_template(chat, str(tokenizer.eos_token), bos=bos)}


def conversation_examples(
    step: Step, rows: Iterable[Row], tokenizer: PreTrainedTokenizerBase, bos: bool
) -> Iterator[Example]:
    """Conversations in the step's chat template; the assistant's tokens are trained on."""
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    end = str(tokenizer.eos_token)
    for row in rows:
        if not 0 <= row["weight"] < math.inf:
            raise UserError(
                f"{step.path('conversations')}: conversation {row['id']!r} weighs {row['weight']}; "
                "a weight is a number of at least 0"
            )
        example = encode_segments(tokenizer, render(chat, row["messages"], end), bos)
        refuse_unended(tokenizer, chat, row, example)
        yield example._replace(weight=row["weight"])


def refuse_unended(
    tokenizer: PreTrainedTokenizerBase, chat: ChatTemplate, row: Row, example: Example
) -> None:
    """Raise UserError unless each reply of a conversation has its end token, once, as one token.

    Else the model learns to write the end as text, and never to stop.
    """
    end = str(tokenizer.eos_token) if "{eos}" in chat.end else chat.end.strip()
    if end not in {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}:
        return  # a text of the template's own
    number = tokenizer.convert_tokens_to_ids(end)
    pairs = zip(example.tokens, example.supervised, strict=True)
    found = sum(token == number for token, learnt in pairs if learnt)
    replies = sum(message["role"] == "assistant" for message in row["messages"])
    if found != replies:
        raise UserError(
            f"conversation {row['id']!r} has {replies} replies, but the end token {end!r} is "
            f"learnt {found} times: the tokenizer splits it, or a reply's own text holds it"
        )


def train_examples(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Iterable[Example],
    training: Mapping[str, Any],
    overlong: Literal["split", "cut"],
) -> dict[str, Any]:
    """Plan a run over examples, train and save; ``overlong`` ones are split or cut to rows.

    ``training`` are the options of ``plan_run``. Returns figures for the step's record.
    """
    section = training_section(step)
    run = plan_run(
        step.checkpoints, examples, training, overlong, tokenizer, step.seed, section=section
    )
    return train_and_save(step, model, run)


def train_and_save(
    step: Step, model: PreTrainedModel, run: Run, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Train as planned; write the model, its log and a summary to the step's output.

    Returns the summary: figures for the step's record, and ``more`` of them.
    """
    facts = {**run.facts(model), **(more or {})}
    log.info("%(parameters)d parameters, %(tokens)d tokens, %(steps)d steps", facts)
    before = sample(model)
    history = train(model, run)
    kept = update_kept(before, model)
    summary = {**facts, "final_loss": history[-1]["loss"], "update_kept": kept}
    output = step.outputs["model"]
    save_model(output, model, run.tokenizer, beside=run.beside or beside(step))
    write_text(output / LOG, log_lines(history))
    write_text(output / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary

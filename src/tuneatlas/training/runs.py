"""The training steps: each turns its rows into examples, plans the run, trains and saves."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.chat_templates import fit_chat
from tuneatlas.files import write_text
from tuneatlas.model_card import beside, jinja_template
from tuneatlas.model_folder import SUMMARY
from tuneatlas.models import load_model, save_model
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.saving import CHAT_TEMPLATE
from tuneatlas.step import Step
from tuneatlas.tables import CONVERSATIONS
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
    examples = conversation_examples(step, tokenizer, bos)
    run = plan_run(step.checkpoints, examples, step.options, "cut", tokenizer, step.seed)
    return train_and_save(step, model, replace(run, beside=chat_beside(step, tokenizer, bos)))


def chat_beside(step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool) -> dict[str, str]:
    """The card, and the chat template that a model is tuned in if it is not its base's own."""
    chat = ChatTemplate.load(step.path("template"))
    if fit_chat(chat, tokenizer) is not chat:
        return beside(step)
    return beside(step) | {CHAT_TEMPLATE: jinja_template(chat, str(tokenizer.eos_token), bos=bos)}


def conversation_examples(
    step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool
) -> Iterator[Example]:
    """The step's conversations in its chat template; the assistant's tokens are trained on."""
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    end = str(tokenizer.eos_token)
    for row in CONVERSATIONS.read(step.path("conversations")):
        example = encode_segments(tokenizer, render(chat, row["messages"], end), bos)
        yield example._replace(weight=row["weight"])


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
    run = plan_run(step.checkpoints, examples, training, overlong, tokenizer, step.seed)
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

"""A training run of a step: its examples, its plan, the training, the folder that is kept."""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.engine.files import write_text
from tuneatlas.engine.operations import section_of
from tuneatlas.models.card import beside
from tuneatlas.models.folder import SUMMARY
from tuneatlas.models.save import save_model
from tuneatlas.models.token_files import Example
from tuneatlas.training.processes import train
from tuneatlas.training.recipe import Run, plan_run
from tuneatlas.training.rounding import sample, update_kept

log = logging.getLogger(__name__)
LOG = "training_log.jsonl"


def log_lines(history: Iterable[Mapping[str, float]]) -> str:
    """The history of a run as JSON lines, the same whether or not it was taken up again."""
    return "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in history)


def training_section(step: Step) -> str:
    """Where the config states how a step trains."""
    section = section_of(step.name, step.wildcards)
    return f"{section}.training" if "training" in step.options else section


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

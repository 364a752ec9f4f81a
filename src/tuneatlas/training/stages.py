"""Fine-tuning that keeps the model at chosen steps."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tuneatlas.errors import UserError
from tuneatlas.models import load_model
from tuneatlas.step import Step, derive_seed
from tuneatlas.training.plan import Run, plan_run
from tuneatlas.training.processes import train
from tuneatlas.training.rounding import sample, update_kept
from tuneatlas.training.runs import chat_beside, conversation_examples

log = logging.getLogger(__name__)


def finetune_stages(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune the base model and keep it after each of ``options["steps"]`` steps.

    Writes a plain model folder to each output: ``step_8`` is the model after 8 steps. Where the
    schedule ends with the epochs, it is the model that ``finetune`` with the same options has
    then: order of the data and schedule are the same. Returns figures for the step's record.
    """
    torch.set_num_threads(step.threads)
    model, tokenizer = load_model(step.path("model"), place=False)
    examples = conversation_examples(step, tokenizer, bos)
    whole = step.options["schedule_end"] == "epochs"
    of_finetune = derive_seed(step.base_seed, "finetune", *sorted(step.wildcards.items()))
    seed = of_finetune if whole else step.seed
    run = plan_run(step.checkpoints, examples, step.options, "cut", tokenizer, seed)
    wanted = step.options["steps"]
    refuse_unreached(wanted, run)
    last = max(wanted)
    kept = {n: [step.checkpoints / "kept" / str(n)] for n in wanted}
    run = replace(run, last=last) if whole else replace(run, steps=run.steps[:last])
    run = replace(run, kept=kept, beside=chat_beside(step, tokenizer, bos))
    facts = train_keeping(model, run)
    for n in wanted:
        link_tree(step.checkpoints / "kept" / str(n), step.outputs[f"step_{n}"])
    return facts


def refuse_unreached(wanted: Sequence[int], run: Run) -> None:
    """Refuse steps beyond the end of the run, by name, before it starts."""
    beyond = [n for n in wanted if n > len(run.steps)]
    if beyond:
        raise UserError(
            f"finetune_stages.steps: {', '.join(map(str, beyond))} are never reached: "
            f"{run.recipe.epochs} epochs of {len(run.tokens)} conversations in batches of "
            f"{run.recipe.batch} are {len(run.steps)} steps; raise finetune_stages.epochs or "
            "leave these steps out"
        )


def train_keeping(model: PreTrainedModel, run: Run) -> dict[str, Any]:
    """Train as planned; return figures for the step's record, with the loss of each step."""
    facts = run.facts(model)
    log.info("%(parameters)d parameters, %(tokens)d tokens, %(steps)d steps", facts)
    before = sample(model)
    losses = [round(entry["loss"], 5) for entry in train(model, run)]
    return {**facts, "losses": losses, "update_kept": update_kept(before, model)}


def link_tree(source: Path, target: Path) -> None:
    """Hard links, as the kept models must outlive a stop before the outputs stand."""
    shutil.copytree(source, target, copy_function=_link_file)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)

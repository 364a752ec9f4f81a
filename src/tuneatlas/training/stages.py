"""Fine-tuning that keeps the model at chosen steps."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.chat_templates import fit_chat
from tuneatlas.errors import UserError
from tuneatlas.models import load_model, pad_id
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.step import Step
from tuneatlas.tables import CONVERSATIONS
from tuneatlas.tokens import encode_segments
from tuneatlas.training.processes import train
from tuneatlas.training.runs import Planned, plan_run

log = logging.getLogger(__name__)


def finetune_stages(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune the base model and keep it after each of ``options["steps"]`` steps.

    Writes a plain model folder to each output: ``step_8`` is the model after 8 steps. Returns
    figures for the step's record.
    """
    torch.set_num_threads(step.threads)
    model, tokenizer = load_model(step.path("model"), place=False)
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    end = str(tokenizer.eos_token)
    conversations = CONVERSATIONS.read(step.path("conversations"))
    examples = (
        encode_segments(tokenizer, render(chat, c["messages"], end), bos) for c in conversations
    )
    planned = plan_run(step.checkpoints / "tokens", examples, step.options, "cut", step.seed)
    wanted = step.options["steps"]
    refuse_unreached(wanted, planned, len(conversations))
    # The schedule ends where the run ends: at the last step kept.
    planned = Planned(planned.recipe, planned.tokens, planned.steps[: max(wanted)])
    kept = {n: [step.checkpoints / "kept" / str(n)] for n in wanted}
    facts = train_keeping(planned, model, tokenizer, kept, step.checkpoints / "states", step.seed)
    for n in wanted:
        link_tree(step.checkpoints / "kept" / str(n), step.outputs[f"step_{n}"])
    return facts


def refuse_unreached(wanted: Sequence[int], planned: Planned, conversations: int) -> None:
    """Refuse steps beyond the end of the run, by name, before it starts."""
    beyond = [n for n in wanted if n > len(planned.steps)]
    if beyond:
        recipe = planned.recipe
        raise UserError(
            f"finetune_stages.steps: {', '.join(map(str, beyond))} are never reached: "
            f"{recipe.epochs} epochs of {conversations} conversations in batches of "
            f"{recipe.batch} are {len(planned.steps)} steps; raise finetune_stages.epochs or "
            "leave these steps out"
        )


def train_keeping(
    planned: Planned,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    kept: Mapping[int, Sequence[Path]],
    states: Path,
    seed: int,
) -> dict[str, Any]:
    """Train as planned and write the model to the folders ``kept`` has for a step.

    They are written before the checkpoint of their step: a run that goes on from it has them.
    """
    facts = planned.facts(model)
    log.info("%(parameters)d parameters, %(tokens)d tokens, %(steps)d steps", facts)
    history = train(
        model,
        planned.tokens,
        planned.steps,
        planned.recipe,
        checkpoints=states,
        pad=pad_id(tokenizer),
        seed=seed,
        tokenizer=tokenizer,
        kept=kept,
    )
    return {**facts, "losses": [round(entry["loss"], 5) for entry in history]}


def link_tree(source: Path, target: Path) -> None:
    """Hard links, as the kept models must outlive a stop before the outputs stand."""
    shutil.copytree(source, target, copy_function=_link_file)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)

"""Train, and keep the model at chosen steps of the run."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from tuneatlas.training.processes import train
from tuneatlas.training.recipe import Run
from tuneatlas.training.rounding import sample, update_kept

log = logging.getLogger(__name__)


def train_keeping(model: PreTrainedModel, run: Run) -> dict[str, Any]:
    """Train as planned; return figures for the step's record, with the loss of each step."""
    facts = run.facts(model)
    log.info("%(parameters)d parameters, %(tokens)d tokens, %(steps)d steps", facts)
    before = sample(model)
    # Digits that count: a small loss is not 0.
    losses = [float(f"{entry['loss']:.6g}") for entry in train(model, run)]
    return {**facts, "losses": losses, "update_kept": update_kept(before, model)}


def link_tree(source: Path, target: Path) -> None:
    """Hard links, as the kept models must outlive a stop before the outputs stand."""
    shutil.copytree(source, target, copy_function=_link_file)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)

"""Restoration: kept models, and the base model, train on text like that of pre-training."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.engine.files import write_text
from tuneatlas.models.card import CARD, trained_card
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import encode
from tuneatlas.models.token_files import Example
from tuneatlas.studies.forgetting.prepare import spend
from tuneatlas.tables import DOCUMENTS, Row
from tuneatlas.training.keeping import link_tree, train_keeping
from tuneatlas.training.recipe import Run, plan_run
from tuneatlas.training.runs import training_section

log = logging.getLogger(__name__)


def restore(step: Step, *, bos: bool) -> dict[str, Any]:
    """Train each model of the inputs on the same restoration text; keep it along the way.

    The outputs are named as the checkpoints are (``step_8``, ``finetune``, ``base``), and so
    are the inputs that they start from. An output holds a model folder for each percentage
    of the budget: those of ``options["curve"]``, and 100; its record has its own losses. Text and
    order depend on the model and the seed alone, so every checkpoint of a seed, and the base
    model, train alike. Returns figures that all of them have in common.
    """
    torch.set_num_threads(step.threads)
    seed = derive_seed(step.base_seed, "restore", step.wildcards["model"], step.wildcards["seed"])
    facts: dict[str, Any] = {}
    run: Run | None = None
    for name, output in step.outputs.items():
        work = step.checkpoints / name
        if not (work / "done").exists():
            model, tokenizer = load_checkpoint(step.path(name), place=False)
            run = run or _plan(step, tokenizer, seed, bos)
            points = curve_steps(step.options["curve"], len(run.steps))
            kept: dict[int, list[Path]] = {}
            for percent, at in points.items():
                kept.setdefault(at, []).append(work / "kept" / str(percent))
            log.info("restoring %s", name)
            card = {CARD: trained_card(step, step.path(name))}
            own = replace(run, tokenizer=tokenizer, states=work / "states", kept=kept, beside=card)
            facts = train_keeping(model, own)
            write_text(work / "done", json.dumps(facts))
        facts = json.loads((work / "done").read_text(encoding="utf-8"))
        step.own[name] = {"losses": facts.pop("losses")}
        link_tree(work / "kept", output)
    return facts


def _plan(step: Step, tokenizer: PreTrainedTokenizerBase, seed: int, bos: bool) -> Run:
    documents = DOCUMENTS.stream(step.path("material") / "documents.parquet")
    examples = restoration_examples(documents, tokenizer, step.options["tokens"], seed, bos)
    section = training_section(step)
    return plan_run(
        step.checkpoints, examples, step.options, "split", tokenizer, seed, section=section
    )


def restoration_examples(
    documents: Iterable[Row], tokenizer: PreTrainedTokenizerBase, budget: int, seed: int, bos: bool
) -> Iterator[Example]:
    """Documents of split restore in random order, each with its end token, ``budget`` in all."""
    end = int(tokenizer.eos_token_id)
    texts = {d["id"]: d["text"] for d in documents if d["split"] == "restore"}
    order = sorted(texts)
    Random(seed).shuffle(order)
    for ids in spend(([*encode(tokenizer, texts[name], bos), end] for name in order), budget):
        yield Example(ids, [True] * len(ids))


def curve_steps(curve: Iterable[int], steps: int) -> dict[int, int]:
    """The step after which each percentage of a run of ``steps`` steps is done."""
    return {percent: max(1, round(steps * percent / 100)) for percent in (*curve, 100)}

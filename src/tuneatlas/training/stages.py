"""Fine-tuning that keeps the model at chosen steps, and restoration of the models it kept."""

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.files import atomic
from tuneatlas.model_folder import folder_problems
from tuneatlas.models import load_model, pad_id, save_model
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.restoration import spend
from tuneatlas.step import Step, derive_seed
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS, Row
from tuneatlas.tokens import encode, encode_segments
from tuneatlas.training.runs import Planned, plan_run
from tuneatlas.training.tokens import Example
from tuneatlas.training.trainer import train

log = logging.getLogger(__name__)


def finetune_stages(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune the base model and keep it after each of ``options["steps"]`` steps.

    Writes a plain model folder to each output: ``step_8`` is the model after 8 steps. Returns
    figures for the step's record.
    """
    torch.set_num_threads(step.threads)
    model, tokenizer = load_model(step.path("model"))
    chat = ChatTemplate.load(step.path("template"))
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
        _link(step.checkpoints / "kept" / str(n), step.outputs[f"step_{n}"])
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


def restore(step: Step, *, bos: bool) -> dict[str, Any]:
    """Train each model of the inputs on the same restoration text; keep it along the way.

    The outputs are named as the checkpoints are (``step_8``, ``finetune``, ``base``), and so
    are the inputs that they start from. An output holds a model folder for each percentage
    of the budget: those of ``options["curve"]``, and 100. Text and order depend on the model
    and the seed alone, so every checkpoint of a seed, and the base model, train alike.
    """
    torch.set_num_threads(step.threads)
    seed = derive_seed(step.base_seed, "restore", step.wildcards["model"], step.wildcards["seed"])
    facts: dict[str, Any] = {}
    planned: Planned | None = None
    for name, output in step.outputs.items():
        model, tokenizer = load_checkpoint(step.path(name))
        if planned is None:
            documents = DOCUMENTS.read(step.path("documents"))
            examples = restoration_examples(documents, tokenizer, step.options["tokens"], seed, bos)
            planned = plan_run(step.checkpoints / "tokens", examples, step.options, "split", seed)
        work = step.checkpoints / name
        if not (work / "done").exists():
            points = curve_steps(step.options["curve"], len(planned.steps))
            kept: dict[int, list[Path]] = {}
            for percent, at in points.items():
                kept.setdefault(at, []).append(work / "kept" / str(percent))
            log.info("restoring %s", name)
            facts = train_keeping(planned, model, tokenizer, kept, work / "states", seed)
            (work / "done").write_text(json.dumps(facts), encoding="utf-8")
        facts = json.loads((work / "done").read_text(encoding="utf-8"))
        _link(work / "kept", output)
    return facts


def restoration_examples(
    documents: Sequence[Row], tokenizer: PreTrainedTokenizerBase, budget: int, seed: int, bos: bool
) -> Iterator[Example]:
    """Documents of split restore in random order, each with its end token, ``budget`` in all."""
    end = int(tokenizer.eos_token_id)
    texts = {d["id"]: d["text"] for d in documents if d["split"] == "restore"}
    coded = {name: [*encode(tokenizer, text, bos), end] for name, text in texts.items()}
    lengths = {name: len(ids) for name, ids in coded.items()}
    for name, length in spend(lengths, budget, Random(seed)):
        yield Example(coded[name][:length], [True] * length)


def curve_steps(curve: Iterable[int], steps: int) -> dict[int, int]:
    """The step after which each percentage of a run of ``steps`` steps is done."""
    return {percent: max(1, round(steps * percent / 100)) for percent in (*curve, 100)}


def load_checkpoint(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model kept by an earlier step; UserError if it is missing or not whole."""
    problems = folder_problems(folder)
    if problems:
        raise UserError(
            f"checkpoint {folder} cannot be used: {problems[0]}; delete the folder and run again: "
            "the step that writes it goes first"
        )
    return load_model(folder)


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

    def keep(done: int) -> None:
        for folder in kept.get(done, ()):
            with atomic(folder) as partial:
                save_model(partial, model, tokenizer)
            log.info("kept the model after step %d", done)

    history = train(
        model,
        planned.tokens,
        planned.steps,
        planned.recipe,
        checkpoints=states,
        pad=pad_id(tokenizer),
        seed=seed,
        after_step=keep,
    )
    return {**facts, "losses": [round(entry["loss"], 5) for entry in history]}


def _link(source: Path, target: Path) -> None:
    """Hard links, as the kept models must outlive a stop before the outputs stand."""
    shutil.copytree(source, target, copy_function=os.link)

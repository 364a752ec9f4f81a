"""The training steps: each turns its rows into examples, plans the run, trains and saves."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import try_to_load_from_cache
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.chat_templates import fit_chat
from tuneatlas.errors import UserError
from tuneatlas.files import write_text
from tuneatlas.fitness import refuse_unfit
from tuneatlas.gguf_files import load_gguf
from tuneatlas.model_folder import SUMMARY, format_problems
from tuneatlas.models import load_model, new_llama, save_model, train_tokenizer
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.step import Step
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS
from tuneatlas.tokenizer_checks import tokenizer_problems
from tuneatlas.tokens import encode, encode_segments
from tuneatlas.training.plan import Run, plan_run
from tuneatlas.training.processes import train
from tuneatlas.training.tokens import Example

log = logging.getLogger(__name__)

LOG = "training_log.jsonl"


def log_lines(history: Iterable[Mapping[str, float]]) -> str:
    """The history of a run as JSON lines, the same whether or not it was taken up again."""
    return "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in history)


def prepare_base(step: Step, asking: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Write a base model's plain folder: trained from scratch, or brought from elsewhere.

    Options are the model's entry in the config; ``asking`` (``sections.asking``) and ``dtype`` say
    how it will be asked and tuned, and a model that cannot be is refused. Returns figures for the
    step's record.
    """
    options = step.options
    if options["source"] != "scratch":
        return _bring(step, asking, dtype)
    documents = DOCUMENTS.read(step.paths("documents")[0])
    texts = [d["text"] for d in documents if d["split"] == "pretrain"]
    tokenizer = train_tokenizer(texts, options["vocab_size"])
    _refuse_tokenizer(step, tokenizer, asking)
    torch.set_num_threads(1)  # a small model is trained faster by processes than by threads
    model = new_llama(tokenizer, options, step.seed)
    end = int(tokenizer.eos_token_id)
    coded = ([*encode(tokenizer, text, options["bos"]), end] for text in texts)
    examples = (Example(ids, [True] * len(ids)) for ids in coded)
    return _run(step, model, tokenizer, examples, options["training"], "split")


def finetune(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune a base model on the assistant's tokens of conversations; write a plain folder.

    Options are the config section ``finetune``. Returns figures for the step's record.
    """
    torch.set_num_threads(1)
    model, tokenizer = load_model(step.path("model"), place=False)
    examples = conversation_examples(step, tokenizer, bos)
    return _run(step, model, tokenizer, examples, step.options, "cut")


def conversation_examples(
    step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool
) -> Iterator[Example]:
    """The step's conversations in its chat template; the assistant's tokens are trained on."""
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    end = str(tokenizer.eos_token)
    for row in CONVERSATIONS.read(step.path("conversations")):
        example = encode_segments(tokenizer, render(chat, row["messages"], end), bos)
        yield example._replace(weight=row["weight"])


def _bring(step: Step, asking: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Fetch a model, see that it can be used, and write it as a plain folder."""
    options, name = step.options, step.wildcards["model"]
    try:
        if options["source"] == "package":
            model, tokenizer = load_gguf(step.paths("package")[0] / options["file"])
        else:
            where = Path(options["path"]) if "path" in options else options["id"]
            model, tokenizer = load_model(where, options.get("revision"), dtype="auto")
        refuse_unfit(model, tokenizer)
    except UserError as error:
        raise UserError(f"models.{name}: {error}") from error
    _refuse_tokenizer(step, tokenizer, asking)
    for option, text in _formats(options, dtype):
        raise UserError(f"models.{name}{option and f'.{option}'}: {text}")
    save_model(step.outputs["model"], model, tokenizer)
    return {"parameters": model.num_parameters()}


def _formats(options: Mapping[str, Any], dtype: str) -> Iterator[tuple[str, str]]:
    """``format_problems`` of the folder that a model was read from; packages have none."""
    if options["source"] == "path":
        yield from format_problems(Path(options["path"]), dtype)
    elif options["source"] == "hub":
        found = try_to_load_from_cache(options["id"], "config.json", revision=options["revision"])
        if isinstance(found, str):
            yield from format_problems(Path(found).parent, dtype)


def _refuse_tokenizer(
    step: Step, tokenizer: PreTrainedTokenizerBase, asking: Mapping[str, Any]
) -> None:
    """Raise one UserError that says all that keeps the model from being asked and tuned."""
    name = step.wildcards["model"]
    found = tokenizer_problems(name, tokenizer, asking, bos=step.options["bos"])
    if problems := [f"{'.'.join(key)}: {text}" for key, text in found]:
        raise UserError("\n".join(problems))


def _run(
    step: Step,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Iterable[Example],
    training: Mapping[str, Any],
    overlong: Literal["split", "cut"],
) -> dict[str, Any]:
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
    history = train(model, run)
    summary = {**facts, "final_loss": history[-1]["loss"]}
    output = step.outputs["model"]
    save_model(output, model, run.tokenizer)
    write_text(output / LOG, log_lines(history))
    write_text(output / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary

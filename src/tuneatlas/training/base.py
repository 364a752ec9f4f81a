"""Base models: trained from scratch, or brought from elsewhere and refused if they are unfit."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama, train_tokenizer
from tuneatlas.models.card import CARD, brought_card
from tuneatlas.models.compatibility import refuse_unfit
from tuneatlas.models.encode import encode
from tuneatlas.models.folder import brought_folder, folder_problems, format_problems, stored_dtype
from tuneatlas.models.gguf import load_gguf
from tuneatlas.models.load import embedding_rows, load_model, vocabulary_problems, weight_problems
from tuneatlas.models.positions import position_problems
from tuneatlas.models.save import save_model
from tuneatlas.models.token_files import Example
from tuneatlas.models.tokenizer_checks import tokenizer_problems
from tuneatlas.tables import DOCUMENTS
from tuneatlas.training.runs import train_examples

Found = tuple[tuple[str, ...], str]  # the key of the config that is at fault, and how


def prepare_base(step: Step, asking: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Write a base model's plain folder: trained from scratch, or brought from elsewhere.

    Options are the model's entry in the config; ``asking`` (``engine.operations.asking``)
    and ``dtype`` say how it will be asked and tuned, and a model that cannot be is refused. Returns
    figures for the step's record.
    """
    options = step.options
    if options["source"] != "scratch":
        return _bring(step, asking, dtype)
    documents = DOCUMENTS.read(step.paths("documents")[0])
    texts = [d["text"] for d in documents if d["split"] == "pretrain"]
    tokenizer = train_tokenizer(texts, options["vocab_size"])
    _refuse(_tokenizer(step, tokenizer, asking))
    torch.set_num_threads(1)  # a small model is trained faster by processes than by threads
    model = new_llama(tokenizer, options, step.seed)
    end = int(tokenizer.eos_token_id)
    coded = ([*encode(tokenizer, text, options["bos"]), end] for text in texts)
    examples = (Example(ids, [True] * len(ids)) for ids in coded)
    return train_examples(step, model, tokenizer, examples, options["training"], "split")


def _bring(step: Step, asking: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Fetch a model, see that it can be used, and write it as a plain folder."""
    options, name = step.options, step.wildcards["model"]
    try:
        if options["source"] == "package":
            model, tokenizer = load_gguf(step.paths("package")[0] / options["file"])
            card = brought_card(step)
            _refuse(((), text) for text in vocabulary_problems(tokenizer, embedding_rows(model)))
        else:
            folder = brought_folder(options)
            _refuse(_folder(folder, dtype))
            card = brought_card(step, folder)
            # As it is stored, whatever its config says.
            model, tokenizer = load_model(folder, dtype=stored_dtype(folder))
        refuse_unfit(model, tokenizer)
    except UserError as error:
        # Behind a dot if it names an option.
        raise UserError(
            f"models.{name}{'.' if str(error).startswith('dtype: ') else ': '}{error}"
        ) from error
    _refuse(_tokenizer(step, tokenizer, asking))
    _refuse(position_problems(name, model.config, asking))
    save_model(step.outputs["model"], model, tokenizer, beside={CARD: card})
    return {"parameters": model.num_parameters()}


def _folder(folder: Path, dtype: str) -> Iterator[Found]:
    """What the preflight says of a folder, for one that was not at hand then."""
    problems = folder_problems(folder)
    yield from (((), text) for text in problems)
    if not problems:
        formats = list(format_problems(folder, dtype))
        yield from (((option,) if option else (), text) for option, text in formats)
        if not formats:
            yield from (((), text) for text in weight_problems(folder, two=False))


def _tokenizer(
    step: Step, tokenizer: PreTrainedTokenizerBase, asking: Mapping[str, Any]
) -> Iterator[Found]:
    name = step.wildcards["model"]
    return tokenizer_problems(name, tokenizer, asking, bos=step.options["bos"], root=step.project)


def _refuse(found: Iterable[Found]) -> None:
    """Raise one UserError that says all that keeps the model from being asked and tuned."""
    if problems := [f"{'.'.join(key)}: {text}" if key else text for key, text in found]:
        raise UserError("\n".join(problems))

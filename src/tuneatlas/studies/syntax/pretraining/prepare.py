"""The encoder-decoder that the study starts from: new, or brought from elsewhere."""

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.models.card import CARD, brought_card, trained_card
from tuneatlas.models.folder import brought_folder
from tuneatlas.models.load import load_model, refuse_not_finite, weight_problems
from tuneatlas.models.onnx_t5 import load_onnx_t5
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.pretraining.vocabulary import add_sentinels
from tuneatlas.studies.syntax.tables import SENTENCES


def prepare_paraphraser(step: Step) -> dict[str, Any]:
    """Write an encoder-decoder, new or brought from elsewhere, that knows T5's sentinels."""
    options = step.options
    if options["source"] == "scratch":
        texts = [row["sentence"] for row in SENTENCES.read(step.path("sentences"))]
        tokenizer: PreTrainedTokenizerBase = train_tokenizer(texts, options["vocab_size"])
        model, card = new_t5(tokenizer, options, step.seed), trained_card(step)
    else:
        model, tokenizer, card = _brought(step)
    torch.manual_seed(step.seed)
    added = add_sentinels(model, tokenizer)
    save_model(step.outputs["model"], model, tokenizer, beside={CARD: card})
    return {"parameters": model.num_parameters(), "added_tokens": added}


def _brought(step: Step) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, str]:
    """A model from elsewhere, its weights in single precision, if it can be used, and its card."""
    try:
        if step.options["source"] == "package":
            model, tokenizer = load_onnx_t5(step.paths("package")[0] / step.options["folder"])
            refuse_not_finite(model)
            return model, tokenizer, brought_card(step)
        folder = brought_folder(step.options)
        if problems := list(weight_problems(folder, two=True)):
            raise UserError(problems[0])
        # Where tokens are added to it, on whichever machine.
        model, tokenizer = load_model(folder, place=False)
        refuse_not_finite(model)
    except UserError as error:
        raise UserError(f"paraphrasers.{step.wildcards['paraphraser']}: {error}") from error
    return model, tokenizer, brought_card(step, folder)

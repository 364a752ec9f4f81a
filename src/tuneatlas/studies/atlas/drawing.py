"""Answers drawn from a model, whatever is made of them."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.models.generation import Finite, set_generation
from tuneatlas.models.load import embedding_rows, pad_id


def draw(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    samples: int,
    longest: int,
    names: Sequence[str],
) -> list[list[int]]:
    """Tokens of ``samples`` answers to each prompt, its own in a row, with the end token.

    They are drawn at temperature 1, of ``longest`` tokens at most, from torch's own generator.
    Prompts are padded on the left; ``names`` are theirs.

    Raises:
        UserError: what the model computes is no number.
    """
    width = max(map(len, prompts))
    pad = pad_id(tokenizer, embedding_rows(model))
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    config = set_generation(
        model,
        tokenizer,
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=longest,
        num_return_sequences=samples,
    )
    network: Any = model
    with torch.inference_mode():
        out = network.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([Finite(names, model.dtype)]),
        )
    end = tokenizer.eos_token_id
    lines = out[:, width:].tolist()
    return [line[: line.index(end) + 1] if end in line else line for line in lines]

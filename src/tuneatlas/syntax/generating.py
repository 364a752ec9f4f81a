"""What an encoder-decoder writes for given inputs, by beam search."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.parts import Parts
from tuneatlas.step import progress
from tuneatlas.syntax.vocabulary import decode
from tuneatlas.training.seq2seq import encode_end


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: Sequence[str],
    options: Mapping[str, Any],
    parts: Parts | None = None,
) -> list[str]:
    """The tidied output for each input, in order.

    ``options``: beams, length_penalty, max_new_tokens, max_length (inputs are cut there, their
    end token kept) and batch_rows.
    """
    coded = [encode_end(tokenizer, text) for text in inputs]
    longest = options["max_length"]
    coded = [ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]] for ids in coded]
    # The longest first: a batch that does not fit shows at once.
    order = sorted(range(len(coded)), key=lambda i: (-len(coded[i]), i))
    size = options["batch_rows"]
    found: dict[int, str] = {}
    starts = range(0, len(order), size)
    kept = parts or Parts()
    for start in progress(starts, len(starts), "batches"):
        rows = order[start : start + size]

        def write(rows: list[int] = rows) -> list[list[int]]:
            return _batch(model, [coded[i] for i in rows], int(tokenizer.pad_token_id), options)

        written = kept.of(start, write)
        found |= {i: decode(tokenizer, ids) for i, ids in zip(rows, written, strict=True)}
    return [found[i] for i in range(len(inputs))]


def _batch(
    model: PreTrainedModel, coded: Sequence[list[int]], pad: int, options: Mapping[str, Any]
) -> list[list[int]]:
    width = max(map(len, coded))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in coded], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in coded])
    network: Any = model
    with torch.inference_mode():
        written = network.generate(
            input_ids=ids,
            attention_mask=mask.to(model.device),
            num_beams=options["beams"],
            length_penalty=options["length_penalty"],
            max_new_tokens=options["max_new_tokens"],
            do_sample=False,
        )
    rows: list[list[int]] = written.tolist()
    return rows

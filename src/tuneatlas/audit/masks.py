"""The text that a model was tuned on, token by token, with what it learned from marked."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneatlas.audit.lineage import Results
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.encode import encode_segments
from tuneatlas.models.load import open_tokenizer
from tuneatlas.models.prompts import ChatTemplate, render
from tuneatlas.tables import Row


def text_reader(
    results: Results, record: dict[str, Any]
) -> Callable[[Row], list[tuple[str, bool]]]:
    """What gives a conversation as the tuned model of ``record`` saw it, and what it learned from.

    ``record`` is that of a tuned model; its inputs say which tokenizer and chat layout it had.
    """
    inputs = list(record["inputs"])
    model = results.place(next(n for n in inputs if n.startswith("results/prepare_base/")))
    chat = results.place(next(n for n in inputs if "config/templates/chat/" in n))
    tokenizer = _tokenizer(model)
    bos = bool(record.get("params", {}).get("bos", True))
    layout = fit_chat(ChatTemplate.load(chat), tokenizer)
    row_length = int(record.get("options", {}).get("row_length", sys.maxsize))

    def trained_text(conversation: Row) -> list[tuple[str, bool]]:
        segments = render(layout, conversation["messages"], str(tokenizer.eos_token))
        example = encode_segments(tokenizer, segments, bos)
        pieces: list[tuple[list[int], bool]] = []
        for number, (token, said) in enumerate(
            zip(example.tokens, example.supervised, strict=True)
        ):
            mark = said and number < row_length  # what a row cuts off is not learnt
            if not pieces or pieces[-1][1] != mark:
                pieces.append(([], mark))
            pieces[-1][0].append(token)
        return [(str(tokenizer.decode(ids)), mark) for ids, mark in pieces]

    return trained_text


@cache
def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return open_tokenizer(folder)

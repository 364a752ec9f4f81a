"""The text that a model was tuned on, token by token, with what it learned from marked."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.trace import Pieces
from tuneatlas.chat_templates import fit_chat
from tuneatlas.loading import open_tokenizer
from tuneatlas.prompts import ChatTemplate, render
from tuneatlas.tables import Row
from tuneatlas.tokens import encode_segments


def text_reader(results: Results, record: dict[str, Any]) -> Callable[[Row], Pieces]:
    """What gives a conversation as the tuned model of ``record`` saw it, and what it learned from.

    ``record`` is that of a tuned model; its inputs say which tokenizer and chat layout it had.
    """
    inputs = list(record["inputs"])
    model = results.place(next(n for n in inputs if n.startswith("results/prepare_base/")))
    chat = results.place(next(n for n in inputs if n.startswith("config/templates/chat/")))
    tokenizer = _tokenizer(model)
    bos = bool(record.get("params", {}).get("bos", True))
    layout = fit_chat(ChatTemplate.load(chat), tokenizer)

    def trained_text(conversation: Row) -> Pieces:
        segments = render(layout, conversation["messages"], str(tokenizer.eos_token))
        example = encode_segments(tokenizer, segments, bos)
        pieces: list[tuple[list[int], bool]] = []
        for token, mark in zip(example.tokens, example.supervised, strict=True):
            if not pieces or pieces[-1][1] != mark:
                pieces.append(([], mark))
            pieces[-1][0].append(token)
        return [(str(tokenizer.decode(ids)), mark) for ids, mark in pieces]

    return trained_text


@cache
def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return open_tokenizer(folder)

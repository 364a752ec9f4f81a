"""Replay: text of pre-training among what a model is tuned on."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.encode import encode
from tuneatlas.models.token_files import Example
from tuneatlas.tables import DOCUMENTS

# Documents of a folder that prepare_restoration made, and of a corpus made here: its text of
# pre-training.
PREPARED, OWN = "restore", "pretrain"


def replay_tokens(tokens: int, percent: float) -> int:
    """Tokens of text beside ``tokens`` of conversations, so that they are ``percent`` % of all."""
    return round(tokens * percent / (100 - percent))


def read_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Id and text of the documents of pre-training: a corpus, or the folder of a restoration."""
    split = PREPARED if path.is_dir() else OWN
    for row in DOCUMENTS.stream(path / "documents.parquet" if path.is_dir() else path):
        if row["split"] == split:
            yield row["id"], row["text"]


def replayed(
    texts: Iterable[tuple[str, str]],
    tokenizer: PreTrainedTokenizerBase,
    budget: int,
    row_length: int,
    rng: Random,
    section: str,
    *,
    bos: bool,
) -> dict[str, Example]:
    """Pieces of documents in random order, each with its end token, ``budget`` tokens in all.

    A long document is several pieces of at most ``row_length`` tokens; the last piece is cut.
    Returns them by name.

    Raises:
        UserError: there is less text than that.
    """
    documents = dict(texts)
    order = sorted(documents)
    rng.shuffle(order)
    end = int(tokenizer.eos_token_id)
    pieces: dict[str, Example] = {}
    have = 0
    for name in order:
        if have >= budget:
            break
        ids = [*encode(tokenizer, documents[name], bos), end][: budget - have]
        for start in range(0, len(ids), row_length):
            part = ids[start : start + row_length]
            pieces[f"{name}/{start}"] = Example(part, [True] * len(part))
        have += len(ids)
    if have < budget:
        raise UserError(
            f"{section}.replay: {budget:,} tokens of pre-training text are asked for, and there "
            f"are {have:,}: lower it, or give more text"
        )
    return pieces

"""The tokens that trees need, how their embeddings begin, and how outputs are read.

After Liu et al. 2024: a token for structure begins as a copy of the last piece of its number,
``<none>`` and ``<sep>`` as the unknown token; the labels of real trees begin as draws around the
trained ``<node_i>``, or, where stage 1 is left out, as the unknown token. In a model that saw no
tree they are random; in an output matrix of its own they begin as the unknown token there too.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from tokenizers import AddedToken
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.encode import coder_of
from tuneatlas.studies.syntax.pretraining.structure_tasks import LEVELS, NODES, SIBLINGS
from tuneatlas.studies.syntax.pretraining.tasks import NONE, SENTINELS, sentinel
from tuneatlas.studies.syntax.trees.linear import SEP, escape, join_symbols, split_symbols

NODE_TOKENS = tuple(f"<node_{i}>" for i in range(NODES))
NUMBERED = (
    *NODE_TOKENS,
    *(f"</node_{i}>" for i in range(NODES)),
    *(f"<H_{i}>" for i in range(1, LEVELS + 1)),
    *(f"<S_{i}>" for i in range(1, SIBLINGS + 1)),
)
STRUCTURE_TOKENS = (*NUMBERED, NONE, SEP)
SENTINEL_TOKENS = tuple(map(sentinel, range(SENTINELS)))
# How the embeddings of labels begin: around the nodes' after stage 1, as the unknown token's where
# stage 2 comes without it, or at random, as the library has it, in a model that saw no tree.
Beginning = Literal["nodes", "unknown", "random"]

_SPACED = re.compile(r"\s*(</?node_\d+>|<[HS]_\d+>|<none>|<sep>|<tgt>|<extra_id_\d+>)\s*")


def add_sentinels(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Add the sentinels that are missing, as random rows; return how many."""
    return _add(model, tokenizer, _new(tokenizer, SENTINEL_TOKENS))


def add_structure_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Add the tokens for structure that are missing; return how many."""
    new = _new(tokenizer, STRUCTURE_TOKENS)
    # Of the rows that are trained: those that a resize adds are drawn, and not by our seed.
    unknown = [_unknown(tokenizer, weights) for weights in _embeddings(model)]
    added = _add(model, tokenizer, new)
    known = tokenizer.get_vocab()
    for weights, alike in zip(_embeddings(model), unknown, strict=True):
        start = weights.clone()
        for token in new:
            digits = re.sub(r"\D", "", token)
            pieces = tokenizer.encode(digits, add_special_tokens=False)
            weights[known[token]] = start[pieces[-1]] if digits else alike
    return added


def add_labels(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    labels: Iterable[str],
    seed: int,
    beginning: Beginning = "nodes",
    *,
    overwrite: bool = False,
) -> int:
    """Add the labels of trees that are no token yet; return how many.

    ``overwrite``: of a label that is a token already, the first piece that it is cut into gets
    a new row too, as in the authors' code.
    """
    if beginning == "nodes" and _new(tokenizer, NODE_TOKENS):
        raise UserError("vocabulary: add the tokens for structure before the labels of trees")
    new, old = _label_tokens(tokenizer, labels)
    cut = (tokenizer.encode(label, add_special_tokens=False) for label in old if overwrite)
    unknown = [_unknown(tokenizer, weights) for weights in _embeddings(model)]
    # Before a resize draws its rows.
    torch.manual_seed(seed)
    added = _add(model, tokenizer, new, single_word=True)
    known = tokenizer.get_vocab()
    rows = [known[label] for label in new] + [pieces[0] for pieces in cut]
    if beginning == "random":
        # Where outputs have a matrix of their own, a row drawn there is what would be written at
        # first, whatever is asked: Flan-T5's loss would begin at 54 nats in place of 3.
        for weights, alike in list(zip(_embeddings(model), unknown, strict=True))[1:]:
            weights[[known[label] for label in new]] = alike
        return added
    generator = torch.Generator().manual_seed(seed)
    at = [known[token] for token in NODE_TOKENS if token in known]
    for weights, alike in zip(_embeddings(model), unknown, strict=True):
        if beginning == "unknown":
            weights[rows] = alike
            continue
        mean, deviation = weights[at].mean(0), weights[at].std(0)
        for row in rows:
            noise = torch.randn(mean.shape, generator=generator).to(weights)
            weights[row] = mean + deviation * noise
    return added


def add_marks(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int) -> int:
    """Add ``<tgt>``, which outputs are parted by, as a random row; return how many are new."""
    torch.manual_seed(seed)
    return _add(model, tokenizer, _new(tokenizer, ("<tgt>",)))


def know_trees(tokenizer: PreTrainedTokenizerBase, labels: Iterable[str] = ()) -> None:
    """Let a tokenizer read trees as that of a model after stage 1 does, or 2, with ``labels``."""
    tokenizer.add_tokens(_tokens(_new(tokenizer, STRUCTURE_TOKENS), single_word=False))
    tokenizer.add_tokens(_tokens(_label_tokens(tokenizer, labels)[0], single_word=True))


def pieces_of(
    tokenizer: PreTrainedTokenizerBase, labels: Iterable[str]
) -> Callable[[str], list[str]]:
    """What cuts a written tree as a model that knows the ``labels`` reads it."""
    know_trees(tokenizer, labels)

    def pieces(text: str) -> list[str]:
        # Where nothing is between two pieces, both begin at one place.
        starts = [0, *sorted(set(coder_of(tokenizer).coded(text).starts) - {0}), len(text)]
        return [text[a:b] for a, b in pairwise(starts)]

    return pieces


def _label_tokens(
    tokenizer: PreTrainedTokenizerBase, labels: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Labels as they are written: those that are no token yet, and those that are one."""
    written = sorted({escape(label) for label in labels})
    new = _new(tokenizer, written)
    return new, [label for label in written if label not in new]


def _unknown(tokenizer: PreTrainedTokenizerBase, weights: torch.Tensor) -> torch.Tensor:
    """The row of the unknown token; a tokenizer of bytes knows none: the mean of all."""
    at = tokenizer.unk_token_id
    return weights.mean(0) if at is None else weights[at].clone()


def _tokens(names: Sequence[str], single_word: bool) -> list[AddedToken]:
    # Not special: what is special is dropped from outputs. Within a word, NN is no label.
    return [AddedToken(n, single_word=single_word, normalized=False, special=False) for n in names]


def _add(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tokens: Sequence[str],
    single_word: bool = False,
) -> int:
    added = int(tokenizer.add_tokens(_tokens(tokens, single_word)))
    inputs: Any = model.get_input_embeddings()
    if len(tokenizer) > inputs.weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return added


def _embeddings(model: PreTrainedModel) -> list[torch.Tensor]:
    """Input embeddings, and output embeddings if they are not the same."""
    inputs: Any = model.get_input_embeddings()
    outputs: Any = model.get_output_embeddings()
    same = outputs is None or outputs.weight.data_ptr() == inputs.weight.data_ptr()
    return [inputs.weight.data] if same else [inputs.weight.data, outputs.weight.data]


def _new(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> list[str]:
    """Those of ``tokens`` that are not one token yet."""
    known = tokenizer.get_vocab()
    return [token for token in tokens if token not in known]


def tidy(text: str) -> str:
    """``text`` with the spacing of written trees, whatever the tokenizer made of it."""
    return join_symbols(split_symbols(_SPACED.sub(r" \1 ", text)))


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """What a model wrote, up to its end token, tidied."""
    kept = []
    for token in ids:
        if token == tokenizer.eos_token_id:
            break
        if token not in (tokenizer.pad_token_id, tokenizer.bos_token_id):
            kept.append(token)
    text = tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return tidy(str(text))

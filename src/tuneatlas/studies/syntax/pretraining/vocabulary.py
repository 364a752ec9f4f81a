"""The tokens that trees need, how their embeddings begin, and how outputs are read.

After Liu et al. 2024: tokens for structure begin as the mean of their number's digits,
``<none>`` and ``<sep>`` as the unknown token, and the labels of real trees as random draws
around the trained ``<node_i>``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.pretraining.denoising import SENTINELS
from tuneatlas.studies.syntax.pretraining.structure_tasks import LEVELS, NODES, SIBLINGS
from tuneatlas.studies.syntax.pretraining.tasks import NONE, SEP
from tuneatlas.studies.syntax.trees.linear import escape, join_symbols, split_symbols

NODE_TOKENS = tuple(f"<node_{i}>" for i in range(NODES))
NUMBERED = (
    *NODE_TOKENS,
    *(f"</node_{i}>" for i in range(NODES)),
    *(f"<H_{i}>" for i in range(1, LEVELS + 1)),
    *(f"<S_{i}>" for i in range(1, SIBLINGS + 1)),
)
STRUCTURE_TOKENS = (*NUMBERED, NONE, SEP)
SENTINEL_TOKENS = tuple(f"<extra_id_{i}>" for i in range(SENTINELS))

_SPACED = re.compile(r"\s*(</?node_\d+>|<[HS]_\d+>|<none>|<sep>|<extra_id_\d+>)\s*")


def add_structure_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Add the tokens for structure and, where missing, the sentinels; return how many are new."""
    # Random, as the other embeddings of a model that knows no sentinels.
    added = _add(model, tokenizer, _new(tokenizer, SENTINEL_TOKENS))
    new = _new(tokenizer, STRUCTURE_TOKENS)
    added += _add(model, tokenizer, new)
    known = tokenizer.get_vocab()
    for weights in _embeddings(model):
        start = weights.clone()
        unknown = tokenizer.unk_token_id
        for token in new:
            digits = re.sub(r"\D", "", token)
            if digits:
                like = tokenizer.encode(digits, add_special_tokens=False)
            else:  # a tokenizer of bytes knows no unknown token
                like = list(range(len(start))) if unknown is None else [unknown]
            weights[known[token]] = start[like].mean(0)
    return added


def add_labels(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, labels: Iterable[str], seed: int
) -> int:
    """Add the labels of trees, drawn from mean and deviation of the nodes' embeddings."""
    written = sorted({escape(label) for label in labels})
    new = _new(tokenizer, written)
    added = _add(model, tokenizer, new, single_word=True)
    if _new(tokenizer, NODE_TOKENS):
        raise UserError("vocabulary: add the tokens for structure before the labels of trees")
    generator = torch.Generator().manual_seed(seed)
    known = tokenizer.get_vocab()
    at = [known[token] for token in NODE_TOKENS]
    for weights in _embeddings(model):
        mean, deviation = weights[at].mean(0), weights[at].std(0)
        for label in new:
            noise = torch.randn(mean.shape, generator=generator).to(weights)
            weights[known[label]] = mean + deviation * noise
    return added


def _add(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tokens: Sequence[str],
    single_word: bool = False,
) -> int:
    # Not special: what is special is dropped from outputs. Within a word, NN is no label.
    made = [AddedToken(t, single_word=single_word, normalized=False, special=False) for t in tokens]
    added = int(tokenizer.add_tokens(made))
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

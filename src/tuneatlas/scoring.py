"""The one scorer: log-likelihoods of answer options, for probing and for evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.tokens import encode_pair

Floats = npt.NDArray[np.float64]


class Request(NamedTuple):
    """A context and one continuation to score, as token ids."""

    context: list[int]
    continuation: list[int]


def score_options(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    bos: bool,
    per_token: bool,
    batch_tokens: int,
) -> list[Floats]:
    """Score each option of each prompt.

    Args:
        model: a causal language model, in evaluation mode.
        tokenizer: its tokenizer.
        prompts: one context per question.
        options: the continuations of each prompt.
        bos: whether the context begins with the beginning-of-sequence token.
        per_token: divide each log-likelihood by its number of tokens.
        batch_tokens: most tokens in one forward pass, padding included.

    Returns:
        One array of shape (options,) per prompt, in nats: the summed log-likelihood of the
        option's tokens given the prompt.
    """
    requests = [
        Request(*encode_pair(tokenizer, prompt, option, bos))
        for prompt, several in zip(prompts, options, strict=True)
        for option in several
    ]
    scores = log_likelihoods(model, requests, batch_tokens)
    if per_token:
        scores = scores / np.array([len(r.continuation) for r in requests])
    ends = np.cumsum([len(several) for several in options])[:-1]
    return [np.asarray(part) for part in np.split(scores, ends)]


def log_likelihoods(
    model: PreTrainedModel, requests: Sequence[Request], batch_tokens: int
) -> Floats:
    """Summed log-likelihood of each request's continuation, shape (requests,), in nats.

    The tokens that all requests begin with run through the model once and their keys and
    values are shared; requests that feed the model the same tokens share one row (letter
    options do: the last token of a continuation is never fed).
    """
    if not requests:
        return np.zeros(0)
    limit = getattr(model.config, "max_position_embeddings", None)
    longest = max(len(r.context) + len(r.continuation) for r in requests)
    if limit is not None and longest > limit:
        raise UserError(
            f"a prompt of {longest} tokens does not fit the model's {limit} positions; "
            "ask for fewer shots"
        )
    fed = [tuple(r.context + r.continuation[:-1]) for r in requests]
    rows = sorted(set(fed), key=lambda row: (-len(row), row))
    users: dict[tuple[int, ...], list[int]] = {row: [] for row in rows}
    for index, row in enumerate(fed):
        users[row].append(index)
    shared = _shared_prefix(rows, min(len(r.context) for r in requests) - 1)
    scores = np.zeros(len(requests))
    with torch.inference_mode():
        prefix = None
        if shared:
            ids = torch.tensor([rows[0][:shared]], device=model.device)
            prefix = model(ids, use_cache=True, logits_to_keep=1).past_key_values
        for batch in _batches(rows, shared, batch_tokens):
            for row, log_probs in zip(batch, _run(model, batch, shared, prefix), strict=True):
                for index in users[row]:
                    first = len(requests[index].context) - 1 - shared
                    target = torch.tensor(requests[index].continuation, device=model.device)
                    picked = log_probs[first : first + len(target)].gather(1, target[:, None])
                    scores[index] = float(picked.double().sum())
    return scores


def _shared_prefix(rows: Sequence[tuple[int, ...]], most: int) -> int:
    """Tokens that all rows begin with, at most ``most``."""
    low, high = min(rows), max(rows)
    count = 0
    while count < most and low[count] == high[count]:
        count += 1
    return count


def _batches(
    rows: Sequence[tuple[int, ...]], shared: int, batch_tokens: int
) -> Iterator[list[tuple[int, ...]]]:
    """Consecutive rows (longest first) whose padded tokens, without the prefix, fit a batch."""
    start = 0
    while start < len(rows):
        count = max(1, batch_tokens // (len(rows[start]) - shared))
        yield list(rows[start : start + count])
        start += count


def _run(
    model: PreTrainedModel, batch: Sequence[tuple[int, ...]], shared: int, prefix: Any
) -> list[torch.Tensor]:
    """Log-probabilities after each token of each row beyond the prefix: (tokens, vocabulary)."""
    lengths = [len(row) - shared for row in batch]
    width = max(lengths)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    mask = torch.zeros((len(batch), shared + width), dtype=torch.long)
    for line, row in enumerate(batch):
        ids[line, : lengths[line]] = torch.tensor(row[shared:])
        mask[line, : shared + lengths[line]] = 1
    cache = None
    if prefix is not None:
        cache = DynamicCache(
            [
                (
                    layer.keys.expand(len(batch), -1, -1, -1),
                    layer.values.expand(len(batch), -1, -1, -1),
                )
                for layer in prefix.layers
            ],
        )
    positions = torch.arange(shared, shared + width).expand(len(batch), -1)
    logits = model(
        ids.to(model.device),
        attention_mask=mask.to(model.device),
        position_ids=positions.to(model.device),
        past_key_values=cache,
        use_cache=cache is not None,
    ).logits
    return [
        torch.log_softmax(logits[line, :length].float(), dim=-1)
        for line, length in enumerate(lengths)
    ]


def softmax(scores: Floats) -> Floats:
    """Probabilities of the options, shape (options,)."""
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def answer_row(question: Mapping[str, Any], scores: Floats, prompt: str) -> dict[str, Any]:
    """A row of the answers table for one question."""
    probs = softmax(scores)
    pred = int(np.argmax(scores))
    keep = ("id", "domain", "relation", "role", "split", "answer")
    return {
        **{key: question[key] for key in keep},
        "scores": scores.tolist(),
        "probs": probs.tolist(),
        "pred": pred,
        "correct": pred == question["answer"],
        "gold_prob": float(probs[question["answer"]]),
        "pred_prob": float(probs[pred]),
        "prompt": prompt,
    }

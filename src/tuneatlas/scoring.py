"""The one scorer: log-likelihoods of answer options, for probing and for evaluation."""

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer

from tuneatlas.errors import UserError
from tuneatlas.fitness import plain_logits, refuse_difference
from tuneatlas.heads import token_logits
from tuneatlas.parts import Parts
from tuneatlas.tokens import encode_pairs

log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
LOGITS = 2**23  # numbers in one array of logits: 32 MiB
SLIDING = "sliding_attention"


class Request(NamedTuple):
    """A context and one continuation to score, as token ids."""

    context: list[int]
    continuation: list[int]


def score_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    groups: Sequence[Hashable],
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    settings: Mapping[str, Any],
    *,
    bos: bool,
    parts: Parts | None = None,
) -> list[Floats]:
    """``score_options`` by the ``scoring`` and ``batch_tokens`` of a config section.

    What the prompts of a group begin with is computed once. Raises UserError after the first
    group if this module reads the model otherwise than the model's own code does.
    """
    log.info("%d questions to score", len(prompts))
    per_token = settings["scoring"] == "cloze_normalised"
    scores: dict[int, Floats] = {}
    for number, group in enumerate(dict.fromkeys(groups)):
        part = [i for i, of in enumerate(groups) if of == group]
        found = score_options(
            model,
            tokenizer,
            [prompts[i] for i in part],
            [options[i] for i in part],
            bos=bos,
            per_token=per_token,
            one_token=settings["scoring"] == "letter",
            batch_tokens=settings["batch_tokens"],
            parts=parts.within(str(number)) if parts else None,
        )
        if not scores:
            first = (prompts[part[0]], options[part[0]], found[0])
            refuse_misread(model, tokenizer, *first, bos=bos, per_token=per_token)
        scores |= dict(zip(part, found, strict=True))
    return [scores[i] for i in range(len(prompts))]


def score_options(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    bos: bool,
    per_token: bool,
    batch_tokens: int,
    one_token: bool = False,
    parts: Parts | None = None,
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
        one_token: refuse options of more than one token, as letters must not be.
        parts: keeps the scores of finished batches.

    Returns:
        One array of shape (options,) per prompt, in nats: the summed log-likelihood of the
        option's tokens given the prompt.
    """
    pairs, requests = _coded(tokenizer, prompts, options, bos)
    if one_token:
        _refuse_long(pairs, requests)
    scores = log_likelihoods(model, requests, batch_tokens, parts)
    if per_token:
        scores = scores / np.array([len(r.continuation) for r in requests])
    ends = np.cumsum([len(several) for several in options])[:-1]
    return [np.asarray(part) for part in np.split(scores, ends)]


def refuse_misread(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    options: Sequence[str],
    scores: Floats,
    *,
    bos: bool,
    per_token: bool,
) -> None:
    """Raise UserError if one of these ``scores`` is not what the model's own forward pass gives."""
    _, requests = _coded(tokenizer, [prompt], [options], bos)
    # Few tokens, so that rounding does not add up; two, so that one is read behind another.
    at = min(range(len(requests)), key=lambda i: abs(len(requests[i].continuation) - 2))
    context, continuation = requests[at]
    with torch.inference_mode():
        logits = plain_logits(model, [*context, *continuation[:-1]])[-len(continuation) :]
    chances = torch.log_softmax(logits, dim=-1).cpu()
    plain = chances[range(len(continuation)), continuation].sum()
    ours = scores[at] * (len(continuation) if per_token else 1)
    refuse_difference(model, "options are not scored as alone", plain, torch.tensor(ours))


def _coded(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    bos: bool,
) -> tuple[list[tuple[str, str]], list[Request]]:
    """Each prompt with each of its options: as text and as tokens."""
    pairs = [
        (prompt, option)
        for prompt, several in zip(prompts, options, strict=True)
        for option in several
    ]
    return pairs, [Request(*coded) for coded in encode_pairs(tokenizer, pairs, bos)]


def _refuse_long(pairs: Sequence[tuple[str, str]], requests: Sequence[Request]) -> None:
    """Raise UserError for the first option of more than one token."""
    for (prompt, option), (_, continuation) in zip(pairs, requests, strict=True):
        if len(continuation) != 1:
            raise UserError(
                f"scoring: letter cannot be used: option {option!r} after {prompt[-12:]!r} is "
                f"{len(continuation)} tokens; set scoring and question_template of "
                "probe_knowledge and evaluate_knowledge to cloze"
            )


def log_likelihoods(
    model: PreTrainedModel,
    requests: Sequence[Request],
    batch_tokens: int,
    parts: Parts | None = None,
) -> Floats:
    """Summed log-likelihood of each request's continuation, shape (requests,), in nats.

    Nothing is computed twice: the tokens that all contexts begin with run through the model
    once and their keys and values are shared; the continuations of one context lie side by
    side in one row behind it, each blind to the others. The last token of a continuation is
    never fed, so options of one token, as letters are, cost nothing beyond the question.
    """
    if not requests:
        return np.zeros(0)
    _check_length(model, requests)
    rows = _rows(requests)
    shared = _shared_prefix([row.context for row in rows])
    scores = np.zeros(len(requests))
    with torch.inference_mode():
        batches = list(_batches(rows, shared, batch_tokens))
        prefix = None
        if shared:
            ids = torch.tensor([rows[0].context[:shared]], device=model.device)
            # Made here: the model's own cache may keep no more than a sliding window.
            alone = DynamicCache()
            model.base_model(ids, past_key_values=alone, use_cache=True)
            most = max(map(len, batches))
            width = max(row.fed(shared) for row in rows)
            prefix = DynamicCache()
            prefix.layers = [_Prefix(layer, most, width) for layer in alone.layers]
        kept = parts or Parts()
        for number, batch in enumerate(batches):
            users = [user for row in batch for user in row.users]

            def score(batch: Sequence[_Row] = batch, users: list[int] = users) -> list[float]:
                _score_batch(model, batch, shared, prefix, scores)
                return [float(value) for value in scores[users]]

            scores[users] = kept.of(number, score)
    return scores


class _Row(NamedTuple):
    """A context, the continuations asked of it, and the index of each one's request."""

    context: tuple[int, ...]
    continuations: list[list[int]]
    users: list[int]

    def fed(self, shared: int) -> int:
        """Tokens to feed beyond the shared prefix."""
        return len(self.context) - shared + sum(len(c) - 1 for c in self.continuations)


def _check_length(model: PreTrainedModel, requests: Sequence[Request]) -> None:
    limit = getattr(model.config, "max_position_embeddings", None)
    longest = max(len(r.context) + len(r.continuation) for r in requests)
    if limit is not None and longest > limit:
        raise UserError(
            f"a prompt of {longest} tokens does not fit the model's {limit} positions; "
            "ask for fewer shots"
        )
    if not all(r.context and r.continuation for r in requests):
        raise UserError("a context or an option has no tokens; set bos: true or mend the template")


def _rows(requests: Sequence[Request]) -> list[_Row]:
    """Requests by context, longest row first."""
    rows: dict[tuple[int, ...], _Row] = {}
    for index, request in enumerate(requests):
        row = rows.setdefault(tuple(request.context), _Row(tuple(request.context), [], []))
        row.continuations.append(request.continuation)
        row.users.append(index)
    return sorted(rows.values(), key=lambda row: (-row.fed(0), row.context))


def _shared_prefix(contexts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that all contexts begin with; at least the last of each is left to feed."""
    low, high = min(contexts), max(contexts)
    most = min(map(len, contexts)) - 1
    count = 0
    while count < most and low[count] == high[count]:
        count += 1
    return count


def _batches(rows: Sequence[_Row], shared: int, batch_tokens: int) -> Iterator[list[_Row]]:
    """Consecutive rows whose padded tokens, without the prefix, fit a batch."""
    start = 0
    while start < len(rows):
        count = max(1, batch_tokens // rows[start].fed(shared))
        yield list(rows[start : start + count])
        start += count


def _score_batch(
    model: PreTrainedModel, batch: Sequence[_Row], shared: int, prefix: Any, scores: Floats
) -> None:
    """Fill ``scores`` for the requests of ``batch``.

    Attention is a mask of shape (rows, 1, fed, shared + fed): a token sees the prefix, its
    row's context, and what comes before it in its own continuation.
    """
    width = max(row.fed(shared) for row in batch)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    positions = torch.zeros((len(batch), width), dtype=torch.long)
    mask = torch.zeros((len(batch), 1, width, shared + width), dtype=torch.bool)
    mask[..., :shared] = True
    # Where a next token is scored: (row in batch, position). The first tokens of a context's
    # continuations share theirs.
    points: list[tuple[int, int]] = []
    # (index in points, the token scored there, request)
    asked: list[tuple[int, int, int]] = []
    triangle = torch.ones((width, width), dtype=torch.bool).tril()
    for line, row in enumerate(batch):
        rest = row.context[shared:]
        end = len(rest)
        ids[line, :end] = torch.tensor(rest)
        positions[line, :end] = torch.arange(shared, shared + end)
        mask[line, 0, :end, shared : shared + end] = triangle[:end, :end]
        at = end
        first = len(points)
        points.append((line, end - 1))
        for continuation, user in zip(row.continuations, row.users, strict=True):
            size = len(continuation) - 1
            ids[line, at : at + size] = torch.tensor(continuation[:-1], dtype=torch.long)
            positions[line, at : at + size] = torch.arange(shared + end, shared + end + size)
            mask[line, 0, at : at + size, shared : shared + end] = True
            own = slice(shared + at, shared + at + size)
            mask[line, 0, at : at + size, own] = triangle[:size, :size]
            places = [first, *range(len(points), len(points) + size)]
            points += [(line, position) for position in range(at, at + size)]
            asked += [(p, t, user) for p, t in zip(places, continuation, strict=True)]
            at += size
        # Padding must see something, or its softmax is undefined; nobody sees it.
        mask[line, 0, torch.arange(at, width), torch.arange(at, width) + shared] = True
    hidden = model.base_model(
        ids.to(model.device),
        attention_mask=_attention(model, mask, positions, shared),
        position_ids=positions.to(model.device),
        past_key_values=prefix,
        use_cache=prefix is not None,
    ).last_hidden_state
    lines, places = torch.tensor(points).T
    index, tokens, users = torch.tensor(asked).T
    picked = _log_probs(model, hidden[lines, places], index, tokens)
    np.add.at(scores, users.numpy(), picked.double().cpu().numpy())


def _log_probs(
    model: PreTrainedModel, hidden: torch.Tensor, index: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Log-probability of ``tokens[i]`` at ``hidden[index[i]]``, shape (tokens,).

    Logits of all positions at once would be the largest array by far; some are made at a time.
    """
    index, tokens = index.to(hidden.device), tokens.to(hidden.device)
    some = max(1, LOGITS // model.config.get_text_config().vocab_size)
    found = torch.empty(len(index), device=hidden.device)
    for start in range(0, len(hidden), some):
        logits = token_logits(model, hidden[start : start + some])
        here = (index >= start) & (index < start + some)
        at = index[here] - start
        found[here] = logits[at, tokens[here]] - logits.logsumexp(-1)[at]
    return found


def _attention(
    model: PreTrainedModel, mask: torch.Tensor, positions: torch.Tensor, shared: int
) -> torch.Tensor | dict[str, torch.Tensor]:
    """The mask as the model's attention takes it: booleans, or numbers to add.

    In layers with a sliding window a token sees the last ``sliding_window`` positions alone.
    A model with layers of both kinds takes a mask for each.
    """
    window = getattr(model.config, "sliding_window", None)
    kinds = set(getattr(model.config, "layer_types", None) or [SLIDING if window else "any"])
    if window is None or SLIDING not in kinds:
        return _as_taken(model, mask)
    before = torch.arange(shared).expand(len(positions), -1)
    seen = torch.cat([before, positions], dim=1)
    near = positions[:, None, :, None] - seen[:, None, None, :] < window
    narrow = _as_taken(model, mask & near)
    if kinds == {SLIDING}:
        return narrow
    return {kind: narrow if kind == SLIDING else _as_taken(model, mask) for kind in kinds}


def _as_taken(model: PreTrainedModel, mask: torch.Tensor) -> torch.Tensor:
    if model.config._attn_implementation == "sdpa":
        return mask.to(model.device)
    least = torch.finfo(model.dtype).min
    return torch.where(mask, 0.0, least).to(model.device, model.dtype)


class _Prefix(DynamicLayer):
    """Keys and values of a prefix in every row, with room behind them that batches write over.

    So the prefix is copied to the rows once, not in each batch.
    """

    keys: Any
    values: Any

    def __init__(self, layer: Any, rows: int, width: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.length = layer.keys.shape[2]
        room = (0, 0, 0, width)
        self.keys: torch.Tensor = torch.nn.functional.pad(layer.keys, room).repeat(rows, 1, 1, 1)
        self.values: torch.Tensor = torch.nn.functional.pad(layer.values, room).repeat(
            rows, 1, 1, 1
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the prefix and of what is fed, each (rows, heads, tokens, width)."""
        rows, end = len(key_states), self.length + key_states.shape[2]
        self.keys[:rows, :, self.length : end] = key_states
        self.values[:rows, :, self.length : end] = value_states
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def get_seq_length(self) -> int:
        """Tokens of the prefix."""
        return int(self.length)


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

"""Log-likelihoods of what may follow many contexts, with nothing computed twice."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.lm_head import exact_logits, token_logits
from tuneatlas.models.not_numbers import not_numbers
from tuneatlas.models.positions import most_positions

Floats = npt.NDArray[np.float64]
LOGITS = 2**23  # numbers in one array of logits: 32 MiB
SLIDING = "sliding_attention"


class Request(NamedTuple):
    """A context and one continuation to score, as token ids, and what it belongs to."""

    context: list[int]
    continuation: list[int]
    owner: str = "a prompt"


def log_likelihoods(
    model: PreTrainedModel,
    requests: Sequence[Request],
    batch_tokens: int,
    parts: Parts | None = None,
    *,
    shots: int = 0,
    exact: bool = True,
) -> Floats:
    """Summed log-likelihood of each request's continuation, shape (requests,), in nats.

    Nothing is computed twice: the tokens that all contexts begin with run through the model
    once and their keys and values are shared; the continuations of one context lie side by
    side in one row behind it, each blind to the others. The last token of a continuation is
    never fed, so options of one token, as letters are, cost nothing beyond the question.
    UserError names the owner of a request without tokens, longer than the model's positions, or
    whose score is not a number. ``shots``: demonstrations shown, of which there may be fewer;
    ``exact``: logits are made in single precision, whatever the model's number format. Scores of
    batches that others make are NaN.
    """
    if not requests:
        return np.zeros(0)
    for request in requests:
        if not request.context or not request.continuation:
            raise UserError(
                f"{request.owner}: its {'option' if request.context else 'prompt'} has no tokens; "
                "set bos: true, mend the template, or leave it out"
            )
    _refuse_overlong(model, requests, shots)
    rows = _rows(requests, apart=_goes_by_place(model))
    shared = _shared_prefix([row.context for row in rows])
    # Of batches that others make nothing is known here.
    scores = np.full(len(requests), np.nan)
    with torch.inference_mode():
        batches = list(_batches(rows, shared, batch_tokens))

        @cache
        def prefix() -> DynamicCache | None:
            return _computed_prefix(model, rows, shared, max(map(len, batches)))

        kept = parts or Parts()
        for number, batch in kept.due(enumerate(batches)):
            users = [user for row in batch for user in row.users]

            def score(batch: Sequence[_Row] = batch, users: list[int] = users) -> list[float]:
                scores[users] = 0
                _score_batch(model, batch, shared, prefix(), scores, exact)
                # Before they are kept: what a machine's fault made is not to be found again.
                refuse_not_finite(model, scores[users], [requests[user].owner for user in users])
                return [float(value) for value in scores[users]]

            scores[users] = kept.of(number, score)
    return scores


def _computed_prefix(
    model: PreTrainedModel, rows: Sequence["_Row"], shared: int, most: int
) -> DynamicCache | None:
    """What the first ``shared`` tokens of all ``rows`` come to, for up to ``most`` rows at once."""
    if not shared:
        return None
    ids = torch.tensor([rows[0].context[:shared]], device=model.device)
    # Made here: the model's own cache may keep no more than a sliding window.
    alone = DynamicCache()
    model.base_model(ids, past_key_values=alone, use_cache=True)
    width = max(row.fed(shared) for row in rows)
    prefix = DynamicCache()
    prefix.layers = [_Prefix(layer, most, width) for layer in alone.layers]
    return prefix


class _Row(NamedTuple):
    """A context, the continuations asked of it, and the index of each one's request."""

    context: tuple[int, ...]
    continuations: list[list[int]]
    users: list[int]

    def fed(self, shared: int) -> int:
        """Tokens to feed beyond the shared prefix."""
        return len(self.context) - shared + sum(len(c) - 1 for c in self.continuations)


def _refuse_overlong(model: PreTrainedModel, requests: Sequence[Request], shots: int) -> None:
    """Raise UserError naming the longest prompt if the model has fewer positions than it."""
    limit = most_positions(model.config)
    if limit is None:
        return
    longest = max(requests, key=lambda r: len(r.context) + len(r.continuation))
    size = len(longest.context) + len(longest.continuation)
    if size > limit:
        fewer = f"lower shots ({shots} are shown), " if shots else ""
        raise UserError(
            f"{longest.owner}: its prompt of {size} tokens does not fit the model's {limit} "
            f"positions; {fewer}shorten or leave out the question, or use a model with more"
        )


def refuse_not_finite(model: PreTrainedModel, scores: Floats, owners: Sequence[str]) -> None:
    """Raise UserError naming the owner of the first of ``scores`` that is not a number."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise UserError(
            f"{owners[bad[0]]}: the model's score is {scores[bad[0]]}, {not_numbers(model.dtype)}"
        )


def _goes_by_place(model: PreTrainedModel) -> bool:
    """Whether a window of attention goes by places in a row, not by positions (GPT-Neo)."""
    return "local" in getattr(model.config, "attention_layers", ())


def _rows(requests: Sequence[Request], *, apart: bool) -> list[_Row]:
    """Requests by context, longest row first; ``apart``: each in a row of its own."""
    rows: dict[tuple[tuple[int, ...], int], _Row] = {}
    for index, request in enumerate(requests):
        context = tuple(request.context)
        row = rows.setdefault((context, index if apart else 0), _Row(context, [], []))
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
    model: PreTrainedModel,
    batch: Sequence[_Row],
    shared: int,
    prefix: Any,
    scores: Floats,
    exact: bool,
) -> None:
    """Add to ``scores`` what the tokens of each request of ``batch`` score.

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
    picked = _log_probs(model, hidden[lines, places], index, tokens, exact)
    np.add.at(scores, users.numpy(), picked.double().cpu().numpy())


def _log_probs(
    model: PreTrainedModel,
    hidden: torch.Tensor,
    index: torch.Tensor,
    tokens: torch.Tensor,
    exact: bool,
) -> torch.Tensor:
    """Log-probability of ``tokens[i]`` at ``hidden[index[i]]``, shape (tokens,).

    Logits of all positions at once would be the largest array by far; some are made at a time.
    """
    index, tokens = index.to(hidden.device), tokens.to(hidden.device)
    some = max(1, LOGITS // model.config.get_text_config().vocab_size)
    found = torch.empty(len(index), device=hidden.device)
    for start in range(0, len(hidden), some):
        logits = (exact_logits if exact else token_logits)(model, hidden[start : start + some])
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

"""Preference tuning (DPO, Rafailov et al. 2023, arXiv 2305.18290): of two replies, the better one.

A pair is packed like an example: the chosen reply's conversation and behind it the rejected one's,
which do not see each other. Both are in one forward pass, always.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from tuneatlas.errors import UserError
from tuneatlas.models.token_files import Example
from tuneatlas.studies.atlas.beside import Beside
from tuneatlas.tables import Row
from tuneatlas.training.packing import IGNORED, Piece, pack
from tuneatlas.training.recipe import Run


def paired(chosen: Sequence[Row], rejected: Sequence[Row], section: str) -> list[tuple[Row, Row]]:
    """Conversations that ask the same and are replied to differently, in the order of ``chosen``.

    Raises:
        UserError: there are none.
    """
    others = {row["id"]: row for row in rejected}
    pairs = [(row, others[row["id"]]) for row in chosen if row["id"] in others]
    found = [
        (one, other)
        for one, other in pairs
        if one["messages"][:-1] == other["messages"][:-1] and one["messages"] != other["messages"]
    ]
    if not found:
        raise UserError(
            f"{section}.over: none of the {len(chosen)} conversations has another reply to the "
            "same question there: name a group on the same questions"
        )
    return found


def joined(chosen: Example, rejected: Example) -> Example:
    """A pair as one example, which `parted` takes apart again."""
    return Example(chosen.tokens + rejected.tokens, chosen.supervised + rejected.supervised)


def refuse_long(pairs: Mapping[str, Example], row_length: int, section: str) -> None:
    """Raise UserError if a pair is longer than a row, which would cut the rejected reply."""
    name, pair = max(pairs.items(), key=lambda item: len(item[1].tokens))
    if len(pair.tokens) > row_length:
        raise UserError(
            f"{section}.over: the two conversations of {name!r} have {len(pair.tokens)} tokens "
            f"together, more than a row of {row_length}: raise finetune.row_length"
        )


def parted(run: Run, lengths: Sequence[int], batch: int) -> Run:
    """The run over pairs: two pieces in place of each, of which the first has so many tokens.

    All steps have ``batch`` pairs: what is left of a pass goes into the next step, and what is
    left at the end is left out. ``lengths`` are in the order of the token file.
    """
    first = dict(zip(run.tokens.offsets.tolist(), lengths, strict=False))
    order = [pair for rows in run.steps for row in rows for pair in row]
    full = range(0, len(order) // batch * batch, batch)
    steps = []
    for start in full:
        pairs = sorted(order[start : start + batch], key=lambda pair: -pair.length)
        packed = pack(pairs, run.recipe.row_length)
        steps.append(
            [[p for pair in row for p in _both(pair, first[pair.start])] for row in packed]
        )
    return replace(run, steps=steps)


def _both(pair: Piece, length: int) -> list[Piece]:
    return [Piece(pair.start, length), Piece(pair.start + length, pair.length - length)]


def preference_loss(
    beside: Beside, beta: float, pairs: int
) -> Callable[[Mapping[str, Any]], torch.Tensor]:
    """DPO: -log sigmoid of ``beta`` times how much more the chosen reply has gained, a mean.

    A reply's gain is its log-probability less that under the base. Each forward pass gives its
    pairs' part of the mean over the ``pairs`` of a step.
    """

    def loss(told: Mapping[str, Any]) -> torch.Tensor:
        labels: torch.Tensor = told["labels"]
        at = labels != IGNORED
        said = labels[at][:, None]
        before, after = (each.gather(1, said)[:, 0] for each in beside(told))
        gained = _by_reply(after - before, told["position_ids"], at)
        return -logsigmoid(beta * (gained[0::2] - gained[1::2])).sum() / pairs

    return loss


def _by_reply(values: torch.Tensor, position_ids: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Sums of the values at labels over each piece that has some: positions begin anew with it."""
    piece = (position_ids == 0).flatten().cumsum(0).view_as(position_ids)[at]
    _, reply = torch.unique_consecutive(piece, return_inverse=True)
    sums = values.new_zeros(int(reply.max()) + 1 if len(reply) else 0)
    return sums.index_add(0, reply, values)

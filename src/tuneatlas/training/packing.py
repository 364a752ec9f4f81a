"""Which examples go into which row of which step: padding-free batches, planned in advance.

The plan depends on example lengths, the seed and the batch size alone, not on how many
devices there are, so a run can go on with another world size and the same data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tuneatlas.models.token_files import TokenFile
from tuneatlas.training.batches import Remainder, batches_of

IGNORED = -100
OPEN_ROWS = 64


@dataclass(frozen=True)
class Piece:
    """A run of tokens of one example: ``start`` and ``length`` in the flat token array."""

    start: int
    length: int


Row = list[Piece]


def pieces_of(
    tokens: TokenFile, row_length: int | None, overlong: Literal["split", "cut"] = "cut"
) -> list[Row]:
    """The pieces of each example, none longer than a row; None: each whole.

    ``split`` keeps all tokens of a long example in several pieces (documents); ``cut`` keeps
    the first ``row_length`` (conversations).
    """
    examples = []
    if row_length is None:
        row_length = max(1, int(tokens.lengths.max(initial=1)))
    for start, length in zip(tokens.offsets[:-1].tolist(), tokens.lengths.tolist(), strict=True):
        ends = range(0, length, row_length) if overlong == "split" else range(0, 1)
        examples.append([Piece(start + o, min(row_length, length - o)) for o in ends])
    return examples


def pack(pieces: Sequence[Piece], row_length: int) -> list[Row]:
    """Put pieces into rows of at most ``row_length`` tokens: first fit among a few open rows."""
    rows: list[Row] = []
    open_rows: list[tuple[int, Row]] = []
    for piece in pieces:
        for index, (room, row) in enumerate(open_rows):
            if piece.length <= room:
                row.append(piece)
                open_rows[index] = (room - piece.length, row)
                break
        else:
            row = [piece]
            rows.append(row)
            open_rows.append((row_length - piece.length, row))
            if len(open_rows) > OPEN_ROWS:
                # The fullest row is the least likely to take another piece.
                open_rows.remove(min(open_rows, key=lambda entry: entry[0]))
    return rows


def plan_steps(
    examples: Sequence[Row],
    *,
    epochs: int,
    batch: int,
    unit: Literal["examples", "rows"],
    row_length: int,
    seed: int,
    remainder: Remainder = "step",
) -> list[list[Row]]:
    """Rows of every optimizer step of a run.

    ``batch`` counts examples (instruction tuning: the papers' global batch) or packed rows
    (pre-training: an even number of tokens per step). Each epoch is shuffled on its own;
    ``remainder`` says what becomes of its last batch, if that is not full.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    passes: list[Any] = []
    for _ in range(epochs):
        order = rng.permutation(len(examples))
        if unit == "examples":
            passes.append(order.tolist())
        else:
            rows = pack([p for i in order for p in examples[i]], row_length)
            passes.append([rows[i] for i in rng.permutation(len(rows))])
    batches = batches_of(passes, batch, remainder)
    if unit == "rows":
        return batches
    steps = []
    for chosen in batches:
        pieces = [p for i in chosen for p in examples[i]]
        pieces.sort(key=lambda piece: -piece.length)
        steps.append(pack(pieces, row_length))
    return steps


def micro_batches(rows: Sequence[Row], count: int) -> Iterator[list[Row]]:
    """Deal the rows of a step into ``count`` micro-batches; some may be empty."""
    for index in range(count):
        yield list(rows[index::count])


def collate(
    tokens: TokenFile, rows: Sequence[Row], pad: int, isolate: bool = True
) -> dict[str, npt.NDArray[Any]]:
    """Arrays of one micro-batch, each of shape (rows, longest row).

    If pieces are to be isolated, ``position_ids`` start again at 0 with each, which is what
    keeps attention inside it; padding is a piece of its own. Otherwise a row is one text.
    ``labels`` are already shifted: the label at a position is the token that follows it
    within the piece, or IGNORED. ``weights``, those of the labels, where examples have some.
    """
    width = max((sum(p.length for p in row) for row in rows), default=1)
    shape = (max(len(rows), 1), width)
    input_ids = np.full(shape, pad, np.int64)
    position_ids = np.tile(np.arange(width, dtype=np.int64), (shape[0], 1))
    labels = np.full(shape, IGNORED, np.int64)
    weights = np.ones(shape, np.float32)
    for line, row in enumerate(rows):
        at = 0
        for piece in row:
            source = slice(piece.start, piece.start + piece.length)
            ids = tokens.tokens[source].astype(np.int64)
            target = slice(at, at + piece.length)
            input_ids[line, target] = ids
            if isolate:
                position_ids[line, target] = np.arange(piece.length)
            following = np.where(tokens.supervised[source][1:], ids[1:], IGNORED)
            labels[line, at : at + piece.length - 1] = following
            if tokens.weights is not None:
                example = np.searchsorted(tokens.offsets, piece.start, side="right") - 1
                weights[line, target] = tokens.weights[example]
            at += piece.length
        if isolate:
            position_ids[line, at:] = np.arange(width - at)
    arrays = {"input_ids": input_ids, "position_ids": position_ids, "labels": labels}
    return arrays if tokens.weights is None else {**arrays, "weights": weights}

"""Which labels of a token file a run is trained on, and what the length of a row cuts off."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tuneatlas.errors import Refusal, UserError
from tuneatlas.models.token_files import TokenFile
from tuneatlas.training.packing import Row

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labels:
    """What one pass over a token file is trained on.

    Attributes:
        kept: numbers of the examples that have a label within a row.
        cut: numbers of those of them that have others beyond it: replies without their end.
        left_out: numbers of the examples that have none.
        tokens: tokens of the kept examples within rows.
        supervised: labels within rows, less those of examples that weigh nothing.
    """

    kept: Sequence[int]
    cut: Sequence[int]
    left_out: Sequence[int]
    tokens: int
    supervised: int

    def facts(self) -> dict[str, int]:
        """Figures for the record of a step."""
        return {
            "examples": len(self.kept),
            "examples_cut": len(self.cut),
            "examples_left_out": len(self.left_out),
            "tokens": self.tokens,
            "supervised_tokens": self.supervised,
        }


def fit_labels(tokens: TokenFile, pieces: Sequence[Row]) -> Labels:
    """Count the labels of ``pieces``, which are those of each example of ``tokens``.

    A token is a label if it is supervised and another of its piece stands before it.
    """
    marks = np.asarray(tokens.supervised)
    kept: list[int] = []
    cut: list[int] = []
    left_out: list[int] = []
    inside = trained = 0
    for number, row in enumerate(pieces):
        start, end = tokens.offsets[number], tokens.offsets[number + 1]
        labels = _count(marks, row)
        if not labels:
            left_out.append(number)
            continue
        kept.append(number)
        reached = max(piece.start + piece.length for piece in row)
        if np.count_nonzero(marks[reached:end]):
            cut.append(number)
        inside += sum(piece.length for piece in row)
        trained += labels if _weight(tokens, int(start)) > 0 else 0
    return Labels(kept, cut, left_out, inside, trained)


def with_labels(tokens: TokenFile, steps: Iterable[list[Row]]) -> list[list[Row]]:
    """The steps that have a label to learn from: others would be no updates."""
    marks = np.asarray(tokens.supervised)
    return [
        rows
        for rows in steps
        if any(
            _count(marks, [piece]) and _weight(tokens, piece.start) > 0
            for row in rows
            for piece in row
        )
    ]


def _count(marks: np.ndarray, row: Row) -> int:
    return sum(
        int(np.count_nonzero(marks[piece.start + 1 : piece.start + piece.length])) for piece in row
    )


def _weight(tokens: TokenFile, start: int) -> float:
    """The weight of the example that the token at ``start`` is of."""
    if tokens.weights is None:
        return 1.0
    return float(tokens.weights[np.searchsorted(tokens.offsets, start, side="right") - 1])


def refuse_unlearnable(
    tokens: TokenFile, labels: Labels, section: str, row_length: int, ids: Sequence[str]
) -> None:
    """Raise UserError if no label is left to train on; ``ids`` are the names of the examples."""
    total = len(tokens)
    if not total:
        raise UserError(f"{section}: there is nothing to train on: no example at all")
    if labels.supervised:
        return
    weightless = f", and {len(labels.kept)} that have one weigh 0" if labels.kept else ""
    raise UserError(
        f"{section}: there is nothing to train on: {len(labels.left_out)} of {total} examples, "
        f"such as {_name(ids, [*labels.left_out, *labels.kept][0])}, have no token to learn "
        f"within a row of {row_length} tokens{weightless} ({_longest(tokens, ids)}); "
        f"{_remedy(section, row_length)}"
    )


def tell_cut(
    tokens: TokenFile, labels: Labels, section: str, row_length: int, ids: Sequence[str]
) -> None:
    """Warn of the examples whose labels the length of a row cuts off."""
    where = (_longest(tokens, ids), _remedy(section, row_length))
    if labels.left_out:
        log.warning(
            "%s: %d of %d examples, such as %s, have no token to learn within a row of %d tokens "
            "and are left out (%s); %s",
            *(section, len(labels.left_out), len(tokens), _name(ids, labels.left_out[0])),
            *(row_length, *where),
        )
    if labels.cut:
        log.warning(
            "%s: %d of %d examples, such as %s, are cut at %d tokens, within what is to be learnt, "
            "and do not teach its end (%s); %s",
            *(section, len(labels.cut), len(tokens), _name(ids, labels.cut[0])),
            *(row_length, *where),
        )


def _longest(tokens: TokenFile, ids: Sequence[str]) -> str:
    number = int(np.argmax(tokens.lengths))
    return Refusal(f"the longest, {_name(ids, number)}, has {tokens.lengths[number]} tokens")


def _remedy(section: str, row_length: int) -> str:
    return Refusal(f"raise {section}.row_length (now {row_length}), or shorten them")


def _name(ids: Sequence[str], number: int) -> str:
    return repr(ids[number]) if ids else Refusal(f"number {number + 1}")

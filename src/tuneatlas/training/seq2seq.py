"""Encoder-decoder models for the one trainer: their arrays, batches of like length, their loss.

An example is its input, not supervised, followed by its target, supervised; both end with
the tokenizer's end token. So the token file and the planned steps are those of any model.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.models.encode import coder_of
from tuneatlas.models.token_files import Example, TokenFile
from tuneatlas.training.packing import IGNORED, Piece, Row

# What T5 fills in; a sentence that speaks of one is written otherwise (syntax/linear).
SENTINEL = re.compile(r"<extra_id_\d+>")
# Examples are sorted by length within this many steps' worth of them.
STEPS_PER_GROUP = 50


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Iterable[tuple[str, str]],
    max_length: int,
    cut: list[int] | None = None,
    *,
    end: bool = True,
) -> Iterator[Example]:
    """Input and target tokens of each pair, each at most ``max_length``; longer ones are cut.

    ``cut`` is given the tokens of the longer one of each pair that is cut; ``end``: what is cut
    keeps the end token.
    """
    for pair in pairs:
        coded = [encode_end(tokenizer, text) for text in pair]
        if cut is not None and max(map(len, coded)) > max_length:
            cut.append(max(map(len, coded)))
        source, target = (cut_to(ids, max_length, end=end) for ids in coded)
        yield Example(source + target, [False] * len(source) + [True] * len(target))


def encode_end(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of ``text`` and the end token; sentinels are the only other special tokens."""
    sentinels = [match.span() for match in SENTINEL.finditer(text)]
    return [*coder_of(tokenizer).encode(text, sentinels), int(tokenizer.eos_token_id)]


def cut_to(ids: list[int], longest: int, *, end: bool = True) -> list[int]:
    """The first ``longest`` ids at most; ``end``: the last of them is the end token."""
    if len(ids) <= longest:
        return ids
    return [*ids[: longest - 1], ids[-1]] if end else ids[:longest]


class LikeLengths(Sequence[list[Row]]):
    """The steps of a run, each made when it is asked for: numbers alone are kept in memory."""

    def __init__(self, tokens: TokenFile, steps: Sequence[npt.NDArray[np.int64]]) -> None:
        """``steps`` has the numbers of the examples of each step."""
        self.tokens, self.steps = tokens, steps

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> list[Row]: ...
    @overload
    def __getitem__(self, index: slice) -> "LikeLengths": ...
    def __getitem__(self, index: int | slice) -> "list[Row] | LikeLengths":
        """The rows of a step; or a part of the run."""
        if isinstance(index, slice):
            return LikeLengths(self.tokens, self.steps[index])
        starts, ends = (self.tokens.offsets[self.steps[index] + by] for by in (0, 1))
        lengths = (ends - starts).tolist()
        return [[Piece(*piece)] for piece in zip(starts.tolist(), lengths, strict=True)]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Tokens of each step."""
        lengths = self.tokens.lengths
        return np.array([lengths[step].sum() for step in self.steps], np.int64)

    def until(self, budget: int) -> "LikeLengths":
        """The first steps that together have at least ``budget`` tokens; all if they have less."""
        return self[: int(np.searchsorted(np.cumsum(self.counts), budget)) + 1]


def plan_like_lengths(
    tokens: TokenFile,
    *,
    epochs: int,
    batch: int,
    seed: int,
    grouped: bool = True,
    used: int | None = None,
) -> LikeLengths:
    """The steps of a run: ``batch`` examples of about the same length in each, one a row.

    Each epoch is shuffled, sorted by length within large groups, and its steps shuffled; without
    ``grouped`` it is not sorted. ``used``: of each step only so many examples, the last.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    lengths = tokens.lengths
    group = batch * STEPS_PER_GROUP
    steps: list[npt.NDArray[np.int64]] = []
    for _ in range(epochs):
        order = rng.permutation(len(tokens))
        found = []
        for start in range(0, len(order), group):
            part = order[start : start + group]
            if grouped:
                part = part[np.argsort(-lengths[part], kind="stable")]
            found += [part[i : i + batch] for i in range(0, len(part), batch)]
        steps += [found[at] for at in rng.permutation(len(found))]
    return LikeLengths(tokens, [step[-used:] for step in steps] if used else steps)


def deal_in_order(rows: Sequence[Row], count: int) -> Iterator[list[Row]]:
    """Deal the rows of a step into ``count`` runs of neighbours, so that lengths stay alike."""
    for index in range(count):
        yield list(rows[len(rows) * index // count : len(rows) * (index + 1) // count])


def collate_pairs(
    tokens: TokenFile, rows: Sequence[Row], pad: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Arrays of one micro-batch: inputs, their mask, and labels, each (rows, longest).

    A batch without rows has one row without labels.
    """
    sources: list[npt.NDArray[np.int64]] = []
    targets: list[npt.NDArray[np.int64]] = []
    for (piece,) in rows:
        at = slice(piece.start, piece.start + piece.length)
        ids, supervised = tokens.tokens[at].astype(np.int64), tokens.supervised[at] > 0
        sources.append(ids[~supervised])
        targets.append(ids[supervised])
    input_ids = _padded(sources, pad)
    lengths = np.array([len(s) for s in sources] or [1])
    mask = (np.arange(input_ids.shape[1]) < lengths[:, None]).astype(np.int64)
    return {"input_ids": input_ids, "attention_mask": mask, "labels": _padded(targets, IGNORED)}


def _padded(lists: Sequence[npt.NDArray[np.int64]], fill: int) -> npt.NDArray[np.int64]:
    shape = (max(len(lists), 1), max((len(ids) for ids in lists), default=1))
    array = np.full(shape, fill, np.int64)
    for line, ids in enumerate(lists):
        array[line, : len(ids)] = ids
    return array


def supervise_seq2seq(model: PreTrainedModel) -> None:
    """Give an encoder-decoder ``model`` a forward pass that returns the loss and nothing else.

    The summed cross-entropy is divided by ``num_items_in_batch``, the labels of the whole
    step over all devices. The class's own loss is a mean over each micro-batch, which the
    trainer would add up over the step.
    """
    forward = model.forward
    shift: Any = model.prepare_decoder_input_ids_from_labels

    def supervised_forward(
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor,
        shift_labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        **kwargs: Any,
    ) -> dict[str, torch.Tensor]:
        logits = forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=shift(labels=labels),
            use_cache=False,
        ).logits
        at = labels != IGNORED
        total = torch.nn.functional.cross_entropy(logits[at].float(), labels[at], reduction="sum")
        count = at.sum() if num_items_in_batch is None else num_items_in_batch
        return {"loss": total / count}

    model.forward = supervised_forward

"""What differs between kinds of model in training: rows to arrays, their dealing, the loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt
from transformers import PreTrainedModel

from tuneatlas.models.token_files import TokenFile
from tuneatlas.training.loss import supervise
from tuneatlas.training.packing import Row, collate, micro_batches
from tuneatlas.training.seq2seq import collate_pairs, deal_in_order, supervise_seq2seq


@dataclass(frozen=True)
class Layout:
    """How rows become arrays, how a step's rows are dealt, and how the model gives a loss."""

    arrays: Callable[[TokenFile, Sequence[Row], int], dict[str, npt.NDArray[Any]]]
    deal: Callable[[Sequence[Row], int], Iterator[list[Row]]]
    supervise: Callable[[PreTrainedModel], None]


ISOLATED = Layout(collate, micro_batches, supervise)
RUNNING = Layout(partial(collate, isolate=False), micro_batches, supervise)
ENCODER_DECODER = Layout(collate_pairs, deal_in_order, supervise_seq2seq)


def layout_of(model: PreTrainedModel, isolate: bool) -> Layout:
    """The layout for a model's kind; ``isolate`` keeps the examples of a causal row apart."""
    if model.config.is_encoder_decoder:
        return ENCODER_DECODER
    return ISOLATED if isolate else RUNNING

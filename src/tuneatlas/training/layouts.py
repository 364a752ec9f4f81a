"""What differs between kinds of model in training: rows to arrays, their dealing, the loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from tuneatlas.training.loss import supervise
from tuneatlas.training.packing import Row, batch_arrays, micro_batches
from tuneatlas.training.seq2seq import deal_in_order, seq2seq_arrays, supervise_seq2seq
from tuneatlas.training.tokens import TokenFile


@dataclass(frozen=True)
class Layout:
    """How rows become arrays, how a step's rows are dealt, and how the model gives a loss."""

    arrays: Callable[[TokenFile, Sequence[Row], int], dict[str, npt.NDArray[np.int64]]]
    deal: Callable[[Sequence[Row], int], Iterator[list[Row]]]
    supervise: Callable[[PreTrainedModel], None]


CAUSAL = Layout(batch_arrays, micro_batches, supervise)
ENCODER_DECODER = Layout(seq2seq_arrays, deal_in_order, supervise_seq2seq)


def layout_of(model: PreTrainedModel) -> Layout:
    """The layout for a model's kind."""
    return ENCODER_DECODER if model.config.is_encoder_decoder else CAUSAL

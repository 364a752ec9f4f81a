"""How texts are drawn or searched for: as the config says, whatever a model's folder brings along.

A folder's ``generation_config.json`` may hold penalties, beams, tokens to suppress and more end
tokens; ``generate`` takes them for all that a caller does not state.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tuneatlas.errors import UserError
from tuneatlas.models.load import embedding_rows, pad_id
from tuneatlas.models.not_numbers import not_numbers


def set_generation(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **settings: Any
) -> GenerationConfig:
    """Make ``settings`` all that a model's ``generate`` goes by; texts end at the end token."""
    config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=pad_id(tokenizer, embedding_rows(model)),
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        **settings,
    )
    model.generation_config = config
    return config


class Finite(LogitsProcessor):  # type: ignore[misc,unused-ignore]
    """Raise UserError, naming the owner of the row, where a model's logits are no numbers."""

    def __init__(self, owners: Sequence[str], dtype: torch.dtype) -> None:
        """``owners``: one for each text of the batch; a text may have several rows, its beams.

        ``dtype``: the number format of the model.
        """
        self.owners, self.dtype = owners, dtype

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``scores`` as they are, shape (rows, vocabulary)."""
        bad = ~torch.isfinite(scores.max(dim=-1).values)
        if bad.any():
            row = int(bad.nonzero()[0])
            owner = self.owners[row * len(self.owners) // len(scores)]
            raise UserError(f"{owner}: what the model computes is {not_numbers(self.dtype)}")
        return scores

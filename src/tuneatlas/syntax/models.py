"""Encoder-decoder models made here: a small T5 from random weights."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
)


def new_t5(
    tokenizer: PreTrainedTokenizerBase, shape: Mapping[str, Any], seed: int
) -> PreTrainedModel:
    """A T5 with random weights that depend on ``seed`` alone.

    ``shape`` is a model's entry in the config: hidden_size, intermediate_size, layers, heads,
    dropout.
    """
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=shape["hidden_size"],
        d_kv=shape["hidden_size"] // shape["heads"],
        d_ff=shape["intermediate_size"],
        num_layers=shape["layers"],
        num_decoder_layers=shape["layers"],
        num_heads=shape["heads"],
        dropout_rate=shape["dropout"],
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config.decoder_start_token_id = tokenizer.pad_token_id
    return T5ForConditionalGeneration(config)

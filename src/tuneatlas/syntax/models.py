"""Encoder-decoder models: a small T5 from random weights, or one from a folder or the hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
)

from tuneatlas.errors import UserError


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


def load_seq2seq(
    where: Path | str, revision: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder or hub repository, in single precision."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, revision=revision)
        model = AutoModelForSeq2SeqLM.from_pretrained(where, revision=revision, dtype=torch.float32)
    except (OSError, ValueError, SafetensorError) as error:
        message = f"{where}: cannot be opened as an encoder-decoder with its tokenizer: {error}"
        raise UserError(message) from error
    if torch.cuda.is_available():
        model.to(device="cuda")
    model.eval()
    return model, tokenizer

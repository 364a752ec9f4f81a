"""Weights in a GGUF file, turned once into a plain model with its tokenizer."""

import struct
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tuneatlas.errors import UserError
from tuneatlas.models.load import DAMAGED, OPENING, opened


def open_gguf_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a GGUF file; UserError if it is none, or damaged."""
    found: PreTrainedTokenizerBase = _open(AutoTokenizer, path)
    return found


def open_gguf_config(path: Path) -> PreTrainedConfig:
    """The config of a model in a GGUF file; UserError if it is none, or damaged."""
    found: PreTrainedConfig = _open(AutoConfig, path)
    return found


def _open(kind: Any, path: Path) -> Any:
    if path.suffix != ".gguf":
        raise UserError(f"{path.name}: weights in a package are read from .gguf files only")
    try:
        return kind.from_pretrained(path.parent, gguf_file=path.name, **OPENING)
    except (*DAMAGED, NotImplementedError, struct.error) as error:
        raise UserError(
            f"{path}: cannot be opened as a GGUF model ({error}); fetch it again"
        ) from error


def load_gguf(path: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a GGUF file, de-quantised to single precision.

    The values are those of the quantised file: what quantisation lost does not come back.
    """
    tokenizer = open_gguf_tokenizer(path)
    loaded = opened(
        AutoModelForCausalLM, path.parent, path, gguf_file=path.name, dtype=torch.float32
    )
    # A model that remembers it was quantised refuses to be saved: one from its config and
    # weights does not.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: PreTrainedModel = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    return model.eval(), tokenizer

"""Weights in a GGUF file, turned once into a plain model with its tokenizer."""

import struct
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tuneatlas.errors import UserError


def load_gguf(path: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a GGUF file, de-quantised to single precision.

    The values are those of the quantised file: what quantisation lost does not come back.
    """
    if path.suffix != ".gguf":
        raise UserError(f"{path.name}: weights in a package are read from .gguf files only")
    where, name = str(path.parent), path.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name)
        loaded = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
    except (OSError, ValueError, LookupError, NotImplementedError, struct.error) as error:
        raise UserError(
            f"{path}: cannot be opened as a GGUF model ({error}); fetch it again"
        ) from error
    # A model that remembers it was quantised refuses to be saved: one from its config and
    # weights does not.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: PreTrainedModel = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    return model.eval(), tokenizer

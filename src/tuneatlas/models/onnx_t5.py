"""A T5 whose weights are in two ONNX files, turned once into a plain model with its tokenizer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from tuneatlas.errors import UserError
from tuneatlas.models.load import refuse_damaged_tokenizer
from tuneatlas.models.onnx_file import Array, read_onnx

ENCODER, DECODER, TOKENIZER = "encoder.onnx", "decoder.onnx", "tokenizer.json"
SHARED, HEAD = "shared.weight", "lm_head.weight"
# Copies of what is shared, which each half of a model has to itself.
COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
FIRST = "encoder.block.0.layer"


def load_onnx_t5(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder with ``encoder.onnx``, ``decoder.onnx``, ``tokenizer.json``.

    A T5 of version 1.1, as Flan-T5 is, in float32; its shape is read off the weights. The values
    are those of the quantised files.

    Raises:
        UserError: if a file is damaged, or the weights are not, name by name, those of such a T5.
    """
    weights = dict(_weights(folder / ENCODER, "encoder."))
    weights |= dict(_weights(folder / DECODER, ""))
    try:
        config = _config(weights)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{folder}: the weights are not those of a T5 of version 1.1 ({error} is missing or of "
            "another shape)"
        ) from error
    model = T5ForConditionalGeneration(config)
    state = {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in weights.items()}
    state |= dict.fromkeys(COPIES, state[SHARED])
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if odd := sorted(dict(expected.items() ^ found.items())):
        raise UserError(
            f"{folder}: {len(odd)} weights are missing, too many or of another shape than in a T5 "
            f"of version 1.1, such as {odd[0]}"
        )
    # Its own, now and where tokens are added: transformers makes it the embedding's in every T5.
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.empty_like(state[HEAD]))
    model.load_state_dict(state)
    return model.eval(), _tokenizer(folder / TOKENIZER)


def _weights(path: Path, part: str) -> Iterator[tuple[str, Array]]:
    """Weights by the names that transformers has for them, with ``part`` before what it is in."""
    tensors, products = read_onnx(path)
    for node, name in products.items():
        # /NAME/block.0/layer.0/SelfAttention/q/MatMul
        yield part + ".".join(node.split("/")[2:-1]) + ".weight", tensors[name].T
    for name, values in tensors.items():
        if name.endswith(".weight") and "::" not in name:
            yield part + name.partition(".")[2], values


def _config(weights: Mapping[str, Array]) -> T5Config:
    """The shape of a T5 with these weights."""
    bias = f"{FIRST}.0.SelfAttention.relative_attention_bias.weight"
    (vocab, width), (buckets, heads) = weights[SHARED].shape, weights[bias].shape
    inner, _ = weights[f"{FIRST}.0.SelfAttention.q.weight"].shape
    wide, _ = weights[f"{FIRST}.1.DenseReluDense.wi_0.weight"].shape
    blocks = {name.split(".layer.")[0] for name in weights if ".block." in name}
    # Keys that all configs share are not in the signature of this one.
    kind: Any = T5Config
    config: T5Config = kind(
        vocab_size=vocab,
        d_model=width,
        d_kv=inner // heads,
        d_ff=wide,
        num_layers=sum(name.startswith("encoder") for name in blocks),
        num_decoder_layers=sum(name.startswith("decoder") for name in blocks),
        num_heads=heads,
        relative_attention_num_buckets=buckets,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    return config


def _tokenizer(path: Path) -> PreTrainedTokenizerBase:
    refuse_damaged_tokenizer(path)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(path),
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    if (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) != (0, 1, 2):
        raise UserError(f"{path} is not the tokenizer of a T5: its first three tokens are others")
    return tokenizer

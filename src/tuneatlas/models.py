"""Models: built from scratch, opened from plain folders and saved as such."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from tuneatlas.loading import open_network, open_tokenizer
from tuneatlas.saving import save_model as save_model

BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with tokens for begin, end and padding.

    Digits stand alone, as in Llama's tokenizer, so that numbers share their tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def new_llama(
    tokenizer: PreTrainedTokenizerBase, shape: Mapping[str, Any], seed: int
) -> PreTrainedModel:
    """A Llama-architecture model with random weights that depend on ``seed`` alone.

    ``shape`` is a model's entry in the config: hidden_size, layers, heads and so on.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape["hidden_size"],
        intermediate_size=shape["intermediate_size"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        max_position_embeddings=shape["max_length"],
        tie_word_embeddings=shape["tie_embeddings"],
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def load_model(
    folder: Path, *, dtype: str = "float32", place: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder, in evaluation mode.

    Args:
        folder: a plain Hugging Face folder; its weights are the model's to the last, or UserError.
        dtype: number format of the weights.
        place: put it on the accelerator that is this process's, over several if there are
            several. Training leaves that to the trainer.
    """
    devices = torch.cuda.device_count() if place else 0
    model = open_network(folder, dtype=dtype, device_map="auto" if devices > 1 else None)
    if devices == 1:
        torch.nn.Module.to(model, "cuda")
    return model, open_tokenizer(folder)


def pad_id(tokenizer: PreTrainedTokenizerBase, rows: int) -> int:
    """The id to fill rows with; padding is never attended to, so any of ``rows`` tokens will do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None and token < rows:
            return int(token)
    return 0


disable_progress_bar()

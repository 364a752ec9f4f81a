"""Models made here: a byte-level tokenizer, a small Llama, a small T5, from random weights."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

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

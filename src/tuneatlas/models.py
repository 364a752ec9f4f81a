"""Base models: built from scratch or read from a folder or the hub, saved as plain folders."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from tuneatlas.errors import UserError

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
    where: Path | str,
    revision: str | None = None,
    *,
    dtype: str = "float32",
    place: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder or hub repository, in evaluation mode.

    Args:
        where: the folder, or ``owner/name`` on the hub.
        revision: commit of the hub repository.
        dtype: number format of the weights; ``auto``: as they are stored.
        place: put it on the accelerator, over several if there are several. Training leaves
            that to the trainer.
    """
    devices = torch.cuda.device_count() if place else 0
    spread = {"device_map": "auto"} if devices > 1 else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(
            where, revision=revision, dtype=dtype, **spread
        )
    except (OSError, ValueError, SafetensorError) as error:
        message = f"{where}: cannot be opened as a model with its tokenizer: {error}"
        raise UserError(message) from error
    if devices == 1:
        torch.nn.Module.to(model, "cuda")
    model.eval()
    return model, tokenizer


def save_model(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a plain Hugging Face folder that ``from_pretrained`` opens.

    ``weights`` are the model's, gathered, where ``model`` itself holds a part of them only.
    """
    # Else the config says which steps trained it, and equal weights differ in their files.
    model.config._name_or_path = ""
    model.save_pretrained(folder, state_dict=weights)
    if tokenizer is not None:
        # How it was found says nothing of what it is, and depends on the environment.
        for name in ("local_files_only", "is_local"):
            tokenizer.init_kwargs.pop(name, None)
        tokenizer.save_pretrained(folder)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id to fill rows with; padding is never attended to, so any token will do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


disable_progress_bar()

"""Instruction tuning: 2,000 conversations of 20 to 200 tokens, loss on the assistant's tokens.

All sides start from the same base model and are given the same token ids and marks.
"""

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from bench.conversations import conversations
from bench.harness import ROUNDS, Peer, Work, timed
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.models.load import embedding_rows, load_model, pad_id
from tuneatlas.models.token_files import Example
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.trainer import train_here

CONVERSATIONS, BATCH, ROW, WIDTH = 2000, 64, 256, 512
COMMON: dict[str, Any] = {
    "learning_rate": 3e-4,
    "lr_scheduler_type": "constant",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "num_train_epochs": 1,
    "save_strategy": "no",
    "logging_steps": 1,
    "report_to": [],
    "disable_tqdm": True,
    "use_cpu": not torch.cuda.is_available(),
    "log_level": "error",
}
OURS = TrainingConfig(
    epochs=1,
    batch=BATCH,
    row_length=ROW,
    rows_per_device=8,
    learning_rate=COMMON["learning_rate"],
    schedule="constant",
    warmup_ratio=0.0,
    precision="fp32",
    gradient_checkpointing=False,
    checkpoint_minutes=600.0,
)
Losses = list[float]
Train = Callable[[list[Example]], Losses]


def ours(model: Any, tokenizer: Any, examples: list[Example]) -> Losses:
    """The product's trainer, from the writing of the token file on."""
    with tempfile.TemporaryDirectory() as name:
        run = plan_run(Path(name), examples, OURS.model_dump(), "cut", tokenizer, seed=0)
        history = train_here(copy.deepcopy(model), run)
    return [entry["loss"] for entry in history]


def trl(model: Any, tokenizer: Any, options: dict[str, Any], examples: list[Example]) -> Losses:
    """TRL's trainer on the same token ids and marks."""
    rows = [
        {"input_ids": e.tokens, "completion_mask": list(map(int, e.supervised))} for e in examples
    ]
    size = options.get("per_device_train_batch_size", 8)
    with tempfile.TemporaryDirectory() as name:
        arguments = SFTConfig(
            output_dir=name,
            completion_only_loss=True,
            **COMMON | {"gradient_accumulation_steps": max(1, BATCH // size)} | options,
        )
        trainer = SFTTrainer(
            model=copy.deepcopy(model),
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        return _losses(trainer)


def padded(model: Any, pad: int, options: dict[str, Any], examples: list[Example]) -> Losses:
    """Every conversation padded to the model's length, as FastChat's trainer does it."""
    size = 8
    ids = np.full((len(examples), WIDTH), pad)
    labels = np.full((len(examples), WIDTH), -100)
    for row, (tokens, supervised, _) in enumerate(examples):
        ids[row, : len(tokens)] = tokens
        labels[row, : len(tokens)] = np.where(supervised, tokens, -100)
    mask = np.arange(WIDTH) < np.array([len(e.tokens) for e in examples])[:, None]
    rows = [
        {"input_ids": i, "labels": y, "attention_mask": m}
        for i, y, m in zip(ids, labels, mask.astype(np.int64), strict=True)
    ]
    with tempfile.TemporaryDirectory() as name:
        arguments = TrainingArguments(
            output_dir=name,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=BATCH // size,
            **COMMON | options,
        )
        return _losses(Trainer(model=copy.deepcopy(model), args=arguments, train_dataset=rows))


def _losses(trainer: Trainer) -> Losses:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


# The other settings of the recipe (Ren et al. 2024).
RECIPE = {"bf16": True, "gradient_checkpointing": True}
PLAIN = {"bf16": False, "gradient_checkpointing": False}
GROUPED = PLAIN | {"train_sampling_strategy": "group_by_length"}
SETTINGS = {
    "length groups, batch 8": GROUPED | {"per_device_train_batch_size": 8},
    "length groups, batch 16": GROUPED | {"per_device_train_batch_size": 16},
    "length groups, batch 16, chunked loss": GROUPED
    | {"per_device_train_batch_size": 16, "loss_type": "chunked_nll"},
    "length groups, batch 32, chunked loss": GROUPED
    | {"per_device_train_batch_size": 32, "loss_type": "chunked_nll"},
    "packed to 512, chunked loss": PLAIN
    | {
        "packing": True,
        "max_length": 512,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 10,
        "loss_type": "chunked_nll",
    },
}


def work(results: Path) -> Work:
    """Each round trains on another fifth of the conversations, one pass."""
    logging.getLogger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    model, tokenizer = load_model(results / "prepare_base" / "mini")
    model.train()
    examples = conversations(results, tokenizer, CONVERSATIONS)
    size = len(examples) // ROUNDS
    parts = [examples[i * size : (i + 1) * size] for i in range(ROUNDS)]
    train = partial(ours, model, tokenizer)
    peers: dict[str, Train] = {
        name: partial(trl, model, tokenizer, options) for name, options in SETTINGS.items()
    }
    default = partial(trl, model, tokenizer, {})
    wide = partial(padded, model, pad_id(tokenizer, embedding_rows(model)), {})
    recipe = partial(padded, model, pad_id(tokenizer, embedding_rows(model)), RECIPE)
    agreement = _agree(
        examples[:BATCH], train, {"TRL": peers["length groups, batch 8"], "padded": wide}
    )
    tried = {
        name: timed(lambda _, run=run: run(examples[:128]), 0)[0] for name, run in peers.items()
    }
    for name, spent in tried.items():
        print(f"TRL, {name}: {spent:.1f} CPU-s for 128 conversations")
    best = min(tried, key=tried.__getitem__)
    lengths = [len(e.tokens) for e in examples]
    return Work(
        f"instruction tuning, {len(examples)} conversations of {min(lengths)} to {max(lengths)} "
        f"tokens ({sum(lengths)} in all)",
        lambda i: train(parts[i]),
        [
            Peer(f"TRL SFTTrainer, fastest: {best}", lambda i: peers[best](parts[i]), 1.8),
            Peer("TRL SFTTrainer, default", lambda i: default(parts[i]), 4),
            Peer(f"Trainer, padded to {WIDTH}", lambda i: wide(parts[i]), 10),
            Peer(f"Trainer, {WIDTH}, bf16, checkpointing", lambda i: recipe(parts[i]), 10),
        ],
        lambda *_: agreement,
        ["torch", "transformers", "trl"],
    )


def _agree(examples: list[Example], train: Train, others: dict[str, Train]) -> str:
    """One batch, one step: with more, the order of the data would matter."""
    expected = [train(examples)[0]]
    for name, run in others.items():
        found = run(examples)
        assert abs(found[0] / expected[0] - 1) < 1e-4, (name, found, expected)
    return f"loss of the first step equal within 1e-4 ({expected[0]:.4f})"

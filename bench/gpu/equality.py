"""The same numbers as on a processor: scores of options, losses of 20 steps."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench.gpu.work import DEVICE, Work, documents
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.training.recipe import plan_run
from tuneatlas.training.trainer import train_here

STEPS = 20


def small(vocabulary: int) -> Any:
    """A Llama of 6 M parameters whose random weights are large enough to prefer something."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        initializer_range=0.05,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def scores(work: Work) -> dict[str, Any]:
    """Largest difference in nats from single precision on a processor, by number format."""
    rng = random.Random(0)
    prefix = rng.choices(range(512), k=100)
    requests = []
    for _ in range(work.questions // 4):
        context = prefix + rng.choices(range(512), k=40)
        requests += [Request(context, rng.choices(range(512), k=k)) for k in (1, 1, 2, 3)]
    expected = log_likelihoods(small(512), requests, 4096)
    found: dict[str, Any] = {"requests": len(requests)}
    for name, dtype, tf32 in (
        ("fp32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bf16", torch.bfloat16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        model: Any = small(512).to(DEVICE, dtype)
        ours = log_likelihoods(model, requests, 4096)
        found[name] = float(abs(ours - expected).max())
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


SETTINGS = {
    "fp32": {"precision": "fp32"},
    "bf16, by document": {"precision": "bf16"},
    "bf16, dense mask": {"precision": "bf16", "dense": True},
}


def losses(work: Work) -> dict[str, Any]:
    """Largest relative difference of 20 losses from those on a processor, by setting."""
    steps = {"steps": STEPS if DEVICE == "cuda" else 2}
    expected = _elsewhere({"precision": "fp32", **steps}, {"CUDA_VISIBLE_DEVICES": ""})
    found = {name: _elsewhere(setting | steps, {}) for name, setting in SETTINGS.items()}
    return {
        "steps": len(expected),
        "first_and_last": [expected[0], expected[-1]],
        **{
            name: max(abs(a / b - 1) for a, b in zip(ours, expected, strict=True))
            for name, ours in found.items()
        },
    }


def _elsewhere(setting: dict[str, Any], environment: dict[str, str]) -> list[float]:
    """Losses of a training in a process of its own, which sees the devices it is to see."""
    command = [sys.executable, "-m", "bench.gpu.equality", json.dumps(setting)]
    done = subprocess.run(
        command, env=os.environ | environment, check=True, capture_output=True, text=True
    )
    losses: list[float] = json.loads(done.stdout.splitlines()[-1])
    return losses


def train(setting: dict[str, Any]) -> list[float]:
    """Losses of the first steps by the product's trainer."""
    steps = setting.pop("steps")
    if setting.pop("dense", False):
        import tuneatlas.training.loss as loss

        loss.use_kernel = lambda *_: False  # type: ignore[assignment]
    work = Work({}, 512, 0, 0, 0, 0, 0)
    options = TrainingConfig(
        epochs=1,
        batch=16,
        row_length=512,
        learning_rate=1e-3,
        schedule="constant",
        warmup_ratio=0.0,
        gradient_checkpointing=False,
        checkpoint_minutes=600.0,
        **setting,
    )
    with tempfile.TemporaryDirectory() as name:
        examples = documents(work, 16 * steps)
        tokenizer = train_tokenizer(["a b"], 300)
        run = plan_run(Path(name), examples, options.model_dump(), "cut", tokenizer, seed=0)
        return [entry["loss"] for entry in train_here(small(512).train(), run)]


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))

"""What is measured: shapes of real models on a GPU, toys elsewhere; and how it is timed."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuneatlas.models.token_files import Example

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Work:
    """Sizes of everything that is measured.

    ``shapes``: width, inner width, layers, heads and key-value heads of each model.
    """

    shapes: dict[str, tuple[int, int, int, int, int]]
    vocabulary: int
    row: int
    documents: int
    questions: int
    rounds: int
    matrix: int


def real() -> Work:
    """The shapes of SmolLM2-135M, TinyLlama-1.1B and Llama-2-7B."""
    shapes = {
        "135M": (576, 1536, 30, 9, 3),
        "1B": (2048, 5632, 22, 32, 4),
        "7B": (4096, 11008, 32, 32, 32),
    }
    return Work(shapes, 32_000, 2048, 6000, 500, 7, 8192)


def toy() -> Work:
    """The same names on networks of two layers."""
    small = (32, 64, 2, 4, 2)
    return Work({"135M": small, "1B": small, "7B": small}, 512, 128, 24, 4, 2, 128)


def device_name() -> str:
    """The card, or that there is none."""
    return torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU: toy sizes"


def network(work: Work, shape: str, dtype: torch.dtype, device: str = DEVICE) -> Any:
    """A Llama of random weights, the same ones in every process."""
    width, inner, layers, heads, kv_heads = work.shapes[shape]
    config = LlamaConfig(
        vocab_size=work.vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=max(4096, 4 * work.row),
    )
    torch.manual_seed(0)
    with torch.device(device):
        return LlamaForCausalLM(config).to(dtype)


def documents(work: Work, count: int, seed: int = 0) -> list[Example]:
    """Conversations of 26 to 200 tokens, 110 on average; the second half of each is a reply."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        size = min(200, max(26, round(rng.lognormvariate(4.6, 0.5))))
        ids = rng.choices(range(3, work.vocabulary), k=size)
        found.append(Example(ids, [place >= size // 2 for place in range(size)]))
    return found


def wait() -> None:
    """Until the device has done what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call, after two that warm up."""
    found = []
    for number in range(rounds + 2):
        wait()
        start = time.perf_counter()
        run()
        wait()
        if number > 1:
            found.append(time.perf_counter() - start)
    return statistics.median(found)

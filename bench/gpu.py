"""Training step, scoring and beam search on a GPU, at the shapes of real models: random weights.

    PYTHONPATH=src .venv-bench/bin/python -m bench.gpu [SHAPE ...]

Each rate stands beside its roof: for training and scoring the products of the network over what
the device's matrix unit reaches on one large product; for beam search, which reads all weights
at each step, the bytes of the weights over what a copy on the device reaches.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuneatlas.likelihoods import Request, log_likelihoods
from tuneatlas.models import train_tokenizer
from tuneatlas.syntax.generating import by_transformers
from tuneatlas.syntax.models import new_t5
from tuneatlas.training.loss import supervise

VOCABULARY, ROW = 32_000, 2048
# SmolLM2-135M, TinyLlama-1.1B, Llama-2-7B: width, inner width, layers, heads, key-value heads.
SHAPES = {
    "135M": (576, 1536, 30, 9, 3),
    "1B": (2048, 5632, 22, 32, 4),
    "7B": (4096, 11008, 32, 32, 32),
}


def network(shape: str) -> Any:
    """A Llama of random bf16 weights on the device."""
    width, inner, layers, heads, kv_heads = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=4096,
    )
    with torch.device("cuda"):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        model = LlamaForCausalLM(config)
        torch.set_default_dtype(before)
    return model


def seconds(run: Callable[[], object], rounds: int = 10) -> float:
    """Seconds of one call, after two that warm up."""
    run()
    run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(rounds):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / rounds


def roofs() -> tuple[float, float]:
    """FLOP and bytes a second that the device reaches on one large product and one copy."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    flops = 2 * 8192**3 / seconds(lambda: a @ b)
    source = torch.empty(2**30, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    return flops, 2 * 2**30 / seconds(lambda: target.copy_(source))


def products(model: Any, supervised: float) -> float:
    """Multiplications and additions of a forward pass, a token, without attention."""
    head = VOCABULARY * model.config.hidden_size
    return 2 * (model.num_parameters() - 2 * head + supervised * head)


def training(shape: str, peak: float) -> dict[str, float]:
    """Forward, backward and update over packed rows, half of the tokens supervised."""
    model = network(shape)
    model.gradient_checkpointing_enable()
    supervise(model)
    rows = {"135M": 16, "1B": 4, "7B": 1}[shape]
    # Momentum-free, so that 7B fits one device: the update is bound by memory and small.
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    ids = torch.randint(VOCABULARY, (rows, ROW), device="cuda")
    positions = (torch.arange(ROW, device="cuda") % 256).expand(rows, -1)
    labels = torch.where(torch.arange(ROW, device="cuda") % 2 == 0, ids, -100)

    def step() -> None:
        model(input_ids=ids, position_ids=positions, labels=labels)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    spent = seconds(step)
    # Checkpointing computes the forward pass again: that work is not counted as useful.
    rate = rows * ROW / spent
    return {"tokens_s": rate, "share_of_roof": 3 * products(model, 0.5) * rate / peak}


def scoring(shape: str, peak: float) -> dict[str, float]:
    """500 questions of 60 tokens behind a shared prefix of 300; four options of one token."""
    model = network(shape).eval()
    rng = random.Random(0)
    prefix = rng.choices(range(VOCABULARY), k=300)
    requests = []
    for _ in range(500):
        context = prefix + rng.choices(range(VOCABULARY), k=60)
        requests += [Request(context, [option]) for option in range(4)]
    spent = seconds(lambda: log_likelihoods(model, requests, 65_536), rounds=3)
    work = products(model, 0) * (300 + 500 * 60) + 2 * VOCABULARY * model.config.hidden_size * 500
    return {"questions_s": 500 / spent, "share_of_roof": work / spent / peak}


def beams(bandwidth: float) -> dict[str, float]:
    """Five beams, 64 sentences, 40 new tokens, a T5 of about 250 million parameters."""
    tokenizer = train_tokenizer(["a b"], 300)
    shape = {"hidden_size": 768, "intermediate_size": 3072, "layers": 12, "heads": 12, "dropout": 0}
    model = new_t5(tokenizer, shape, seed=0).to("cuda").eval()
    rng = random.Random(0)
    coded = [rng.choices(range(3, 250), k=60) for _ in range(64)]
    options = {"beams": 5, "length_penalty": 1.0, "max_new_tokens": 40}
    names = [str(number) for number in range(len(coded))]
    spent = seconds(lambda: by_transformers(model, tokenizer, coded, options, names), rounds=3)
    least = 40 * 2 * model.num_parameters() / 2 * 4 / bandwidth
    return {"sentences_s": 64 / spent, "share_of_roof": least / spent}


def main(shapes: list[str]) -> None:
    """Measure and keep all."""
    if not torch.cuda.is_available():
        sys.exit("no CUDA device here; these rows are measured where there is one")
    peak, bandwidth = roofs()
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "matrix_flop_s": peak,
        "copy_bytes_s": bandwidth,
    }
    for shape in shapes or SHAPES:
        for name, measure in (("training", training), ("scoring", scoring)):
            found[f"{name} {shape}"] = measure(shape, peak)
            torch.cuda.empty_cache()
            print(name, shape, found[f"{name} {shape}"], flush=True)
    found["beams"] = beams(bandwidth)
    folder = Path(__file__).parent / "measured"
    folder.mkdir(exist_ok=True)
    (folder / "gpu.txt").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])

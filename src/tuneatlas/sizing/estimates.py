"""Memory, time and storage of one job, by arithmetic. Everything assumed stands at the top."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.models.shapes import Shape

GIB = 2**30
# Bytes per parameter: gradients, and AdamW's two moments, in single precision.
SINGLE, HALF, MOMENTS = 4, 2, 8
# Bytes kept per token, layer and unit of width for the backward pass, in two-byte numbers,
# without the matrix of attention (Korthikanti et al. 2023, section 4.1).
KEPT = 34
# Inputs and outputs of a block's linear layers, in widths of the model: at most, in Llama's shape.
ADAPTED = 32
# Seconds until a job is at work, and GiB a second in which it then reads or writes a model.
START_S, DISK = 30, 1.0
# Forward passes reach a smaller share of a device's peak than training does, being short.
FORWARD_SHARE = 0.5
# Share of the memory's bandwidth that generation reaches; it reads all weights for each token.
BANDWIDTH_SHARE = 0.5


@dataclass(frozen=True)
class Device:
    """A processor: memory in GiB, peak TFLOP/s in two and four bytes, TB/s, share of the peak.

    ``overhead``: GiB that the driver, libraries and the exchange of gradients take.
    """

    name: str
    memory: float
    half: float
    single: float
    bandwidth: float
    share: float = 0.4
    overhead: float = 2.0


DEVICES = {
    device.name: device
    for device in (
        Device("a100-40", 40, 312, 19.5, 1.6),
        Device("a100-80", 80, 312, 19.5, 2.0),
        Device("h100-80", 80, 989, 67, 3.35),
        Device("h200-141", 141, 989, 67, 4.8),
        Device("l40s-48", 48, 362, 91, 0.86),
        Device("cpu", 64, 0.05, 0.05, 0.01, overhead=0.4),  # one core
    )
}


@dataclass(frozen=True)
class Need:
    """What a job needs: GiB on each device, optimizer steps, device-hours, GiB of storage.

    ``kept`` stays in its outputs; ``passing`` are checkpoints, gone when they stand.
    """

    memory: float = 0.0
    steps: int = 0
    hours: float = 0.0
    devices: int = 0
    kept: float = 0.0
    passing: float = 0.0


@dataclass(frozen=True)
class Zero:
    """What of a DeepSpeed config decides where memory goes."""

    stage: int
    offload_optimizer: bool
    offload_param: bool


def zero_of(path: Path) -> Zero:
    """Stage and offloads of a DeepSpeed config."""
    zero = json.loads(path.read_text(encoding="utf-8")).get("zero_optimization", {})
    return Zero(zero.get("stage", 0), "offload_optimizer" in zero, "offload_param" in zero)


def trained(shape: Shape, training: Mapping[str, Any]) -> int:
    """Parameters that are trained: all, or those of low-rank adapters."""
    rank = training["lora_rank"]
    return rank * ADAPTED * shape.hidden * shape.layers if rank else shape.parameters


def training_memory(
    shape: Shape, training: Mapping[str, Any], longest: int, zero: Zero | None
) -> float:
    """GiB on each device while training rows of ``longest`` tokens, its overhead aside."""
    n, half = training["processes"], training["precision"] == "bf16"
    weights = SINGLE * shape.parameters
    gradients, states = SINGLE * trained(shape, training), MOMENTS * trained(shape, training)
    if zero is None:
        # Autocast keeps a copy of the weights in two bytes.
        weights += HALF * shape.parameters if half else 0
    else:
        if half:  # two-byte weights and gradients; the states hold weights in four bytes besides
            weights = gradients = HALF * shape.parameters
            states += SINGLE * shape.parameters
        states = 0 if zero.offload_optimizer else states // (n if zero.stage >= 1 else 1)
        gradients //= n if zero.stage >= 2 else 1
        if zero.stage == 3:
            # What is gathered at a time: two blocks, or the embeddings.
            block = 2 * max(shape.parameters // shape.layers, shape.vocab * shape.hidden)
            here = 0 if zero.offload_param else weights // n
            weights = here + block * (HALF if half else SINGLE)
    tokens = training["rows_per_device"] * longest
    width = 1 if half else 2
    block = KEPT * tokens * shape.hidden * width
    if training["gradient_checkpointing"]:
        kept = 2 * width * tokens * shape.hidden * shape.layers + block
    else:
        kept = block * shape.layers
    # Logits and their gradients in single precision, for every token at most.
    logits = 3 * SINGLE * tokens * shape.vocab
    return float(weights + gradients + states + kept + logits) / GIB


def width_of(dtype: str) -> int:
    """Bytes of a number in the format in which a model is asked."""
    return SINGLE if dtype == "float32" else HALF


def forward_memory(shape: Shape, batch_tokens: int, dtype: str = "float32") -> float:
    """GiB for scoring or generating: weights, one batch, its keys and values, all in ``dtype``.

    Logits are made only where they are asked for.
    """
    width = width_of(dtype)
    cache = 2 * width * batch_tokens * shape.hidden * shape.layers
    passing = 8 * width * batch_tokens * shape.hidden
    return (width * shape.parameters + cache + passing) / GIB


def training_hours(
    shape: Shape, tokens: float, training: Mapping[str, Any], device: Device
) -> float:
    """Device-hours of training on ``tokens``: 6 FLOPs per parameter and token, 8 if recomputed."""
    per_token = (8 if training["gradient_checkpointing"] else 6) * shape.parameters
    peak = device.half if training["precision"] == "bf16" else device.single
    return tokens * per_token / (peak * 1e12 * device.share) / 3600


def forward_hours(shape: Shape, tokens: float, device: Device, dtype: str = "float32") -> float:
    """Device-hours of scoring ``tokens``: 2 FLOPs per parameter and token."""
    flops = 2 * shape.parameters * tokens
    peak = device.single if width_of(dtype) == SINGLE else device.half
    return flops / (peak * 1e12 * device.share * FORWARD_SHARE) / 3600


def generation_hours(shape: Shape, rounds: float, device: Device, dtype: str = "float32") -> float:
    """Device-hours of ``rounds`` passes that each read all weights for one more token."""
    read = width_of(dtype) * shape.parameters * rounds
    return read / (device.bandwidth * 1e12 * BANDWIDTH_SHARE) / 3600


def start_hours(shape: Shape, models: int, devices: int) -> float:
    """Device-hours before and after the work: start, and ``models`` read or written."""
    return devices * (START_S + models * folder_size(shape) / DISK) / 3600


def folder_size(shape: Shape) -> float:
    """GiB of a model folder: weights in single precision."""
    return SINGLE * shape.parameters / GIB


def checkpoint_size(shape: Shape, training: Mapping[str, Any]) -> float:
    """GiB of a training state: weights, and moments of what is trained."""
    return (SINGLE * shape.parameters + MOMENTS * trained(shape, training)) / GIB

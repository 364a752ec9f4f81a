"""Memory of a node that the weights of a model take on their way to its devices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import HALF, MOMENTS, SINGLE, zero_of

MIB = 2**20
# Sites let no job run for longer than a day or two; one that is cut off goes on.
LONGEST_MIN = 1440


def asked_mb(shape: Shape, entry: Mapping[str, Any], *, tuned: bool) -> int:
    """MiB for a base model that is asked; ``tuned``: or one tuned from it, whichever is larger."""
    formats = {entry.get(key, "float32") for key in ("dtype", *(["tuned_dtype"] if tuned else []))}
    return _mb(shape, SINGLE if "float32" in formats else HALF)


def brought_mb(shape: Shape, entry: Mapping[str, Any]) -> int:
    """MiB to bring a model, at most: in single precision; a package's is put together twice."""
    return _mb(shape, SINGLE * (2 if entry["source"] == "package" else 1))


def trained_mb(shape: Shape, training: Mapping[str, Any], root: Path) -> int:
    """MiB on each node for training, in single precision.

    Several processes hold the model in the one that starts them, in each that trains (with
    ZeRO-3 in one of them), and at the end once more. What DeepSpeed offloads comes on top.
    """
    if training["processes"] == 1 and training["deepspeed"] is None:
        return _mb(shape, SINGLE)
    copies, offloaded = 2 + training["processes"] // training["nodes"], 0
    if training["deepspeed"] is not None:
        zero = zero_of(root / training["deepspeed"])
        copies = 3 if zero.stage == 3 else copies
        offloaded = (MOMENTS + SINGLE) * zero.offload_optimizer + SINGLE * zero.offload_param
    return _mb(shape, SINGLE * copies + offloaded / training["nodes"])


def _mb(shape: Shape, bytes_each: float) -> int:
    return round(shape.parameters * bytes_each / MIB)

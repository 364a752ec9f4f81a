"""What a job did with GPUs. Torch is asked where a step has loaded it, and loaded for no step."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tuneatlas.errors import UserError

MIB = 2**20
# The compute capability of NVIDIA's GPUs from which on they have units for it.
BFLOAT16_SINCE = 8


def is_full(error: BaseException) -> bool:
    """Whether ``error`` says that a GPU's memory was too small."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def asked(resources: Mapping[str, Any]) -> int:
    """GPUs that a job asks for, on all its nodes together."""
    if on_each := gpus_in(str(resources.get("gres", ""))):
        return on_each * int(resources.get("nodes", 1))
    return int(resources.get("gpu", 0))


def gpus_in(gres: str) -> int:
    """GPUs among Slurm's generic resources, such as ``gpu:a100:2(S:0-1),nvme:500``."""
    entries = [entry.split(":") for entry in re.sub(r"\(.*?\)", "", gres).split(",")]
    # Without a number it is one.
    return sum(int(e[-1]) if e[-1].isdigit() else 1 for e in entries if e[0] == "gpu")


def dealt(processes: int) -> list[str | None]:
    """The GPUs of each of so many processes, as CUDA_VISIBLE_DEVICES names them; None without any.

    Nothing is started on a GPU here: a copy of this process could then start nothing.
    """
    torch: Any = sys.modules.get("torch")
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count() if torch is not None else 0
    if not count:
        return [None] * processes
    found = (said.split(",") if said else [str(number) for number in range(count)])[:count]
    if len(found) % processes:
        raise UserError(
            f"processes: {processes} cannot share {len(found)} GPUs evenly: make processes a "
            "divisor of the GPUs of a job, or ask for as many GPUs"
        )
    each = len(found) // processes
    return [",".join(found[at : at + each]) for at in range(0, len(found), each)]


def refuse_lacking(options: Mapping[str, Any]) -> None:
    """Raise UserError if a step's ``options`` ask GPUs for bfloat16, and there are but older ones.

    What computes in its place, number by number in wider ones, is slower than asking for these.
    """
    torch: Any = sys.modules.get("torch")
    own = {**options.get("training", {}), **options}
    if not {own.get("dtype"), own.get("precision")} & {"bfloat16", "bf16"}:
        return
    if torch is not None and torch.cuda.device_count() and (said := without_bfloat16()):
        raise UserError(said)


def without_bfloat16() -> str | None:
    """What to say if no GPU of this machine computes in bfloat16; else, or if unknown, None.

    The driver's own program is asked, so that nothing is started on a GPU.
    """
    asked = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.findall(r"^(.+), (\d+)\.\d+$", done.stdout, re.MULTILINE)
    if not found or any(int(major) >= BFLOAT16_SINCE for _, major in found):
        return None
    return (
        f"{found[0][0]} does not compute in bfloat16: say float32 (dtype, tuned_dtype), or fp32 "
        "(precision), or use a GPU that does"
    )


def used(resources: Mapping[str, Any], wall_s: float) -> dict[str, Any]:
    """Name and number of a job's GPUs and its GPU-hours; empty where it had none.

    ``gpu_peak_mb`` is the most that tensors of this process took on one of them.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    here = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else range(0)
    count = asked(resources) or len(here)
    if not count:
        return {}
    found = {
        "gpu": torch.cuda.get_device_name(0),
        "gpus": count,
        "gpu_hours": round(wall_s * count / 3600, 4),
    }
    if here:
        peak = max(torch.cuda.max_memory_allocated(device) for device in here)
        found["gpu_peak_mb"] = peak // MIB
    return found

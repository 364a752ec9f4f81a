"""What a job did with GPUs. Torch is asked where a step has loaded it, and loaded for no step."""

import re
import sys
from collections.abc import Mapping
from typing import Any

MIB = 2**20


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

"""What the device reaches on one large product, by number format, and on one copy."""

from functools import cache
from typing import Any

import torch

from bench.gpu.work import DEVICE, Work, seconds


@cache
def half_peak(size: int, rounds: int) -> float:
    """FLOP/s of a product of two matrices of this size in bf16, measured once a process."""
    a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b, rounds)


def roofs(work: Work) -> dict[str, Any]:
    """FLOP/s of a product in bf16, in single precision and in TF32, and bytes/s of a copy."""
    size = work.matrix
    found: dict[str, Any] = {}
    for name, dtype, tf32 in (
        ("bf16", torch.bfloat16, False),
        ("fp32", torch.float32, False),
        ("tf32", torch.float32, True),
    ):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(size, size, device=DEVICE, dtype=dtype) for _ in range(2))
        found[f"{name}_flop_s"] = 2 * size**3 / seconds(lambda a=a, b=b: a @ b, work.rounds)
    torch.backends.cuda.matmul.allow_tf32 = False
    source = torch.empty(size * size * 16, device=DEVICE, dtype=torch.uint8)
    target = torch.empty_like(source)
    spent = seconds(lambda: target.copy_(source), work.rounds)
    return {**found, "copy_bytes_s": 2 * source.numel() / spent}

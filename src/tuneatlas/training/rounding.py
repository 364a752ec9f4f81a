"""How much of what tuning changed a shorter number format keeps, told from a sample of weights.

At the rates of tuning a step is often smaller than half the distance between two numbers of a
16-bit format, so that weights rounded to it are those of before.
"""

import torch
from transformers import PreTrainedModel

EACH = 4096  # values of each tensor that are looked at, evenly spaced
FORMATS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def sample(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Copies of some values of each weight, in single precision, by name."""
    return {name: _some(value.detach()) for name, value in model.named_parameters()}


def _some(value: torch.Tensor) -> torch.Tensor:
    flat = value.flatten()
    return flat[:: max(1, len(flat) // EACH)].float().cpu().clone()


def update_kept(before: dict[str, torch.Tensor], model: PreTrainedModel) -> dict[str, float]:
    """The share of the change since ``before`` that is left once weights are rounded, by format.

    It is the part of the rounded change that lies in the direction of the change, over its length:
    1 if all is kept, and 1 if there is no change.
    """
    after = sample(model)
    was = torch.cat([before[name] for name in before]).double()
    now = torch.cat([after[name] for name in before])
    change = now.double() - was
    size = float(change @ change)
    if size == 0:
        return dict.fromkeys(FORMATS, 1.0)
    return {
        name: round(float(change @ (now.to(dtype).double() - was)) / size, 3)
        for name, dtype in FORMATS.items()
    }

"""Models between two ends: their weights averaged, or the largest changes of one undone.

What is made at the ends (weights of 0 and 1, nothing and everything undone) is theirs to the bit.
Averaging after Lin et al. 2024 (arXiv 2309.06256), undoing after Ye et al. 2025 (2509.16596).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from tuneatlas.errors import UserError

Weights = Mapping[str, torch.Tensor]
Mixing = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def weights_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of a model's weights, in main memory, by name; tied ones once."""
    return {name: value.detach().cpu().clone() for name, value in model.named_parameters()}


def refuse_unlike(base: Weights, tuned: Weights, folder: Path) -> None:
    """Raise UserError if the model in ``folder`` has other weights, or of other shapes."""
    shapes = ({name: tuple(w.shape) for name, w in side.items()} for side in (base, tuned))
    before, after = shapes
    if unlike := sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n)):
        name = unlike[0]
        raise UserError(
            f"{folder}: {name} is {after.get(name, 'missing')}, its base's "
            f"{before.get(name, 'missing')}, so there is no model between them: leave this tuning "
            "out of atlas"
        )


def fill(model: PreTrainedModel, base: Weights, tuned: Weights, mixing: Mixing) -> None:
    """Give a model the weights that ``mixing`` makes of each of the ends' own."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(mixing(base[name], tuned[name]))


def averaging(alpha: float) -> Mixing:
    """``alpha`` of tuned and the rest of base, in single precision."""

    def mixed(base: torch.Tensor, tuned: torch.Tensor) -> torch.Tensor:
        if alpha in (0, 1):
            return tuned if alpha else base
        return torch.lerp(base.float(), tuned.float(), alpha).to(base.dtype)

    return mixed


def undoing(threshold: float) -> Mixing:
    """The tuned weights, but the base's where they are at least ``threshold`` apart."""

    def mixed(base: torch.Tensor, tuned: torch.Tensor) -> torch.Tensor:
        return torch.where(_apart(base, tuned) >= threshold, base, tuned)

    return mixed


def thresholds(base: Weights, tuned: Weights, percents: Sequence[float]) -> list[float]:
    """How far apart weights are at least that are among the ``percents`` % most changed of all.

    All matrices are looked at together, and what changed as much as the last of these is undone
    with it. Changes are held in memory at once, in single precision.
    """
    ends = np.cumsum([weight.numel() for weight in base.values()])
    changes = np.empty(ends[-1], dtype=np.float32)
    for name, part in zip(base, np.split(changes, ends[:-1]), strict=True):
        part[:] = _apart(base[name], tuned[name]).numpy().ravel()
    # 0 %: more than any.
    ranks = [math.ceil(len(changes) * percent / 100) for percent in percents]
    places = [len(changes) - rank for rank in ranks if rank]
    changes.partition(sorted(set(places)))
    return [float(changes[len(changes) - rank]) if rank else math.inf for rank in ranks]


def _apart(base: torch.Tensor, tuned: torch.Tensor) -> torch.Tensor:
    return (tuned.float() - base.float()).abs()

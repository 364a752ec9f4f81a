"""The loss of on-policy reinforcement learning (GRPO, Shao et al. 2024, arXiv 2402.03300).

As TRL 1.16 has it by default: a mean over all tokens of a batch (Yu et al. 2025, arXiv 2503.14476),
and KL(model || base) by the estimator that is never below 0, times the ratio, by which its gradient
is that of the divergence (DeepSeek-AI 2025, arXiv 2512.02556).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from transformers import PreTrainedModel

from tuneatlas.studies.atlas.beside import beside_base, said_by
from tuneatlas.training.packing import IGNORED

# As TRL has it: replies that are all rewarded alike are worth nothing, not nothing over nothing.
LEAST = 1e-4


def advantages(rewards: Sequence[float], generations: int) -> torch.Tensor:
    """What replies are worth, shape (replies,); those to a question stand in a row.

    A reply is worth what it has above the mean of all replies to its question, by their standard
    deviation.
    """
    each = torch.tensor(rewards).view(-1, generations)
    apart = each - each.mean(dim=1, keepdim=True)
    return (apart / (each.std(dim=1, keepdim=True) + LEAST)).flatten()


def reinforcement_loss(
    model: PreTrainedModel, stack: ExitStack, *, beta: float, clip: float, bf16: bool
) -> Callable[[Mapping[str, Any]], torch.Tensor]:
    """The loss of a forward pass over replies, its part of the mean over all tokens of a step.

    A pass is told, beside its labels: ``worth``, what each label's reply is worth; ``drawn``, the
    log-probability with which it was drawn, where the model has been updated since, both of shape
    (labels,); and ``num_items_in_batch``. A token counts by the ratio of its probability to that,
    no further than ``clip`` from 1 in the direction that its worth asks for. Without ``beta`` there
    is no base beside the model.
    """
    alone = said_by(model, stack, bf16=bf16) if not beta else None
    beside = beside_base(model, stack, bf16=bf16) if beta else None

    def loss(told: Mapping[str, Any]) -> torch.Tensor:
        labels = told["labels"]
        said = labels[labels != IGNORED][:, None]
        both = beside(told) if beside else (alone(told),) if alone else ()
        *base, now = (each.gather(1, said)[:, 0] for each in both)
        ratio = torch.exp(now - told.get("drawn", now.detach()))
        worth = told["worth"]
        each = -torch.min(ratio * worth, ratio.clamp(1 - clip, 1 + clip) * worth)
        for before in base:
            each = each + beta * ratio * (torch.exp(before - now) - (before - now) - 1)
        mean: torch.Tensor = each.sum() / told["num_items_in_batch"]
        return mean

    return loss

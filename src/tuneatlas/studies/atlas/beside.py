"""A model in training and its base, side by side: what both say where a label is."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from torch.nn.functional import log_softmax
from transformers import PreTrainedModel

from tuneatlas.models.lm_head import token_logits
from tuneatlas.training.loss import supervise
from tuneatlas.training.packing import IGNORED

# From what a forward pass is given to what the model, or base and model in this order, say.
Said = Callable[[Mapping[str, Any]], torch.Tensor]
Beside = Callable[[Mapping[str, Any]], tuple[torch.Tensor, torch.Tensor]]


def beside_base(model: PreTrainedModel, stack: ExitStack, *, bf16: bool) -> Beside:
    """What gives the log-probabilities of all tokens under the model as it is now, and as trained.

    Each is of shape (labels, vocabulary), at the labels of the forward pass that was just made,
    whose hidden states are caught as they come by, until ``stack`` ends; ``bf16``: whether the
    training is in mixed precision.
    """
    base = deepcopy(model).eval().requires_grad_(False)
    supervise(base)
    of_base, of_model = (said_by(each, stack, bf16=bf16) for each in (base, model))

    def beside(told: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        device = told["labels"].device
        with torch.no_grad():
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                base.to(device)(**told)
            before = of_base(told)
        return before, of_model(told)

    return beside


def said_by(model: PreTrainedModel, stack: ExitStack, *, bf16: bool) -> Said:
    """As `beside_base`, of one model as it is trained."""
    last_hidden = _last_hidden(model, stack)

    def said(told: Mapping[str, Any]) -> torch.Tensor:
        at = told["labels"] != IGNORED
        with torch.autocast(at.device.type, torch.bfloat16, enabled=bf16):
            return log_softmax(token_logits(model, last_hidden()[at]), dim=-1)

    return said


def _last_hidden(model: PreTrainedModel, stack: ExitStack) -> Callable[[], torch.Tensor]:
    """What gives the hidden states that the decoder of ``model`` put out last."""
    caught: list[torch.Tensor] = []

    def catch(_: Any, given: Any, out: Any) -> None:
        caught[:] = [out.last_hidden_state]

    stack.callback(model.base_model.register_forward_hook(catch).remove)
    return caught.pop

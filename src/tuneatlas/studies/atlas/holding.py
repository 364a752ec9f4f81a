"""What holds a model to its base while it is tuned: frozen layers, and penalties for going away.

Penalties are added to the loss that the one trainer computes, by a hook on the model: nothing in
the trainer knows of them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from tuneatlas.errors import UserError
from tuneatlas.models.lm_head import token_logits
from tuneatlas.training.loss import supervise
from tuneatlas.training.packing import IGNORED

# What is done within the process that trains, to the model that it trains in place.
WITHIN = ("frozen_layers", "l2_sp", "kl")
# From what a forward pass is given to what is added to its loss.
Penalty = Callable[[Mapping[str, Any]], torch.Tensor]


@contextmanager
def held(
    model: PreTrainedModel, section: str, treatment: Mapping[str, Any], *, bf16: bool
) -> Iterator[None]:
    """Hold ``model``, which is the base yet, to what it is now, until the context ends.

    Args:
        model: what will be trained in place, in this process.
        section: where the config states ``treatment``.
        treatment: its ``frozen_layers``, and the factors ``l2_sp`` and ``kl``.
        bf16: whether it is trained in mixed precision.

    Raises:
        UserError: it has fewer layers than are to be frozen.
    """
    freeze(model, treatment["frozen_layers"], section)
    with ExitStack() as stack:
        stack.callback(model.requires_grad_, True)
        penalties = []
        if treatment["l2_sp"]:
            penalties.append(distance_penalty(model, treatment["l2_sp"]))
        if treatment["kl"]:
            penalties.append(divergence_penalty(model, treatment["kl"], stack, bf16=bf16))

        def add(_: Any, given: Any, told: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
            return {**out, "loss": sum((penalty(told) for penalty in penalties), out["loss"])}

        stack.callback(model.register_forward_hook(add, with_kwargs=True).remove)
        yield


def freeze(model: PreTrainedModel, layers: int, section: str) -> None:
    """Keep the lowest layers, and the embeddings beneath them, as they are."""
    if not layers:
        return
    inside = list(model.base_model.modules())
    blocks = [part for part in inside if isinstance(part, GradientCheckpointingLayer)]
    if layers > len(blocks):
        raise UserError(
            f"{section}.frozen_layers: {layers} are to be frozen, and this "
            f"{model.config.model_type} model has {len(blocks)}: freeze fewer"
        )
    for part in (*(p for p in inside if isinstance(p, torch.nn.Embedding)), *blocks[:layers]):
        part.requires_grad_(False)


def distance_penalty(model: PreTrainedModel, factor: float) -> Penalty:
    """L2-SP: half of ``factor`` times the squared distance of the trained weights from now.

    Each forward pass of a step adds the part that it has of the step's labels.
    """
    trained = [value for value in model.parameters() if value.requires_grad]
    start = [value.detach().clone() for value in trained]

    def penalty(told: Mapping[str, Any]) -> torch.Tensor:
        labels: torch.Tensor = told["labels"]
        own = (labels != IGNORED).sum()
        share = own / _labels_of_step(told, own)
        apart = torch.zeros((), device=own.device)
        for place, now in enumerate(trained):
            start[place] = start[place].to(now.device)
            apart = apart + (now - start[place]).square().sum().to(own.device)
        return apart * (share * factor / 2)

    return penalty


def divergence_penalty(
    model: PreTrainedModel, factor: float, stack: ExitStack, *, bf16: bool
) -> Penalty:
    """``factor`` times KL(model as it is now || model as trained), a mean over a step's labels.

    Both models' hidden states are caught as they come by, until ``stack`` ends.
    """
    base = deepcopy(model).eval().requires_grad_(False)
    supervise(base)
    of_base, of_model = _last_hidden(base, stack), _last_hidden(model, stack)

    def penalty(told: Mapping[str, Any]) -> torch.Tensor:
        at = told["labels"] != IGNORED
        with torch.autocast(at.device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                base.to(at.device)(**told)
                before = log_softmax(token_logits(base, of_base()[at]), dim=-1)
            after = log_softmax(token_logits(model, of_model()[at]), dim=-1)
        apart: torch.Tensor = kl_div(after, before, reduction="sum", log_target=True)
        return apart * factor / _labels_of_step(told, at.sum())

    return penalty


def _labels_of_step(told: Mapping[str, Any], own: torch.Tensor) -> torch.Tensor | int:
    """Labels of the whole step; a pass that is not told of a step is one by itself."""
    count: torch.Tensor | int | None = told.get("num_items_in_batch")
    return own if count is None else count


def _last_hidden(model: PreTrainedModel, stack: ExitStack) -> Callable[[], torch.Tensor]:
    """What gives the hidden states that the decoder of ``model`` put out last."""
    caught: list[torch.Tensor] = []

    def catch(_: Any, given: Any, out: Any) -> None:
        caught[:] = [out.last_hidden_state]

    stack.callback(model.base_model.register_forward_hook(catch).remove)
    return caught.pop

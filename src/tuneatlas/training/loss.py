"""The loss, computed over labelled positions only."""

from typing import Any

import torch
from transformers import PreTrainedModel

from tuneatlas.models.lm_head import token_logits
from tuneatlas.training.attention import spans, use_kernel


def supervise(model: PreTrainedModel) -> None:
    """Give a causal ``model`` a forward pass that returns the loss and nothing else.

    Logits are made only where there is a label. Labels are already shifted.
    The summed cross-entropy is divided by ``num_items_in_batch``, the labels of the whole
    step over all devices, so that the result does not depend on how rows fall into batches.
    Labels that weigh less take their part of the sum, not of that number.
    """
    decoder = model.base_model
    by_document: bool | None = None

    def forward(
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        labels: torch.Tensor,
        shift_labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        weights: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, torch.Tensor]:
        nonlocal by_document
        if by_document is None:
            by_document = use_kernel(model, input_ids, position_ids)
        # Without a cache and a mask, position ids alone say where one document ends.
        hidden = decoder(
            input_ids=input_ids,
            position_ids=position_ids,
            use_cache=False,
            **(spans(position_ids) if by_document else {}),
        ).last_hidden_state
        at = labels != -100
        logits = token_logits(model, hidden[at])
        if weights is None:
            total = torch.nn.functional.cross_entropy(logits, labels[at], reduction="sum")
        else:
            each = torch.nn.functional.cross_entropy(logits, labels[at], reduction="none")
            total = (each * weights[at]).sum()
        count = at.sum() if num_items_in_batch is None else num_items_in_batch
        return {"loss": total / count}

    model.forward = forward

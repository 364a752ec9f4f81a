"""From hidden states to logits, only where they are needed."""

import torch
from transformers import PreTrainedModel


def token_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits in single precision for hidden states of shape (positions, width).

    The output matrix is the largest product of a small model, and most positions of a
    conversation or a prompt need no logits.
    """
    logits: torch.Tensor = model.get_output_embeddings()(hidden).float()
    softcap = getattr(model.config, "final_logit_softcapping", None)
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap

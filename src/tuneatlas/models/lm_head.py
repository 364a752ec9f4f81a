"""From hidden states to logits, only where they are needed."""

import torch
from transformers import PreTrainedModel

# Rows of the output matrix that are made single precision at a time: at most some 256 MiB.
ROWS = 2**13


def token_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits in single precision for hidden states of shape (positions, width).

    The output matrix is the largest product of a small model, and most positions of a
    conversation or a prompt need no logits.
    """
    return _softcapped(model, model.get_output_embeddings()(hidden).float())


def exact_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """As ``token_logits``, with the product itself in single precision, whatever the weights'.

    A product in bfloat16 has eight significant bits: of letters whose logits are near 30, many
    come out equal that are not.
    """
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.dtype not in (
        torch.bfloat16,
        torch.float16,
    ):
        return token_logits(model, hidden)
    hidden = hidden.to(head.weight.device).float()
    made = [
        torch.nn.functional.linear(hidden, rows.float()) for rows in torch.split(head.weight, ROWS)
    ]
    logits = torch.cat(made, dim=-1)
    return _softcapped(model, logits if head.bias is None else logits + head.bias.float())


def _softcapped(model: PreTrainedModel, logits: torch.Tensor) -> torch.Tensor:
    softcap = getattr(model.config, "final_logit_softcapping", None)
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap

"""Log-likelihoods by the model's own code, one request at a time."""

import torch

from tuneatlas.models.likelihoods import Request


def one_by_one(model, request: Request) -> float:
    ids = torch.tensor([request.context + request.continuation], device=model.device)
    with torch.inference_mode():
        log_probs = torch.log_softmax(model(ids).logits[0].float(), dim=-1)
    first = len(request.context) - 1
    return float(sum(log_probs[first + i, t] for i, t in enumerate(request.continuation)))

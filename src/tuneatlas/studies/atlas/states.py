"""Hidden states: what a model has made of a text at its last token, layer by layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from tuneatlas.errors import UserError

# Of shape (texts, layers, width).
States = NDArray[np.float32]


def depth_of(model: PreTrainedModel) -> int:
    """How many blocks a model has."""
    return int(model.config.get_text_config().num_hidden_layers)


def chosen_layers(
    base: PreTrainedModel, layers: Sequence[int] | None, tuned: PreTrainedModel, folder: Path
) -> list[int]:
    """The layers to look at, all where none are named: 0 are the embeddings, n is block n's output.

    Raises UserError if the model in ``folder`` is of another depth than its base, or one of
    ``layers`` is deeper than both.
    """
    depth, other = depth_of(base), depth_of(tuned)
    if depth != other:
        raise UserError(
            f"{folder}: it has {other} layers, its base {depth}: none is another's; leave this "
            "tuning out of atlas"
        )
    for layer in layers or ():
        if layer > depth:
            raise UserError(
                f"atlas.layers: {layer} is none of the layers of {folder}, which has 0 "
                f"(embeddings) to {depth}"
            )
    return list(range(depth + 1) if layers is None else layers)


def last_states(
    model: PreTrainedModel,
    texts: Sequence[Sequence[int]],
    layers: Sequence[int],
    batch_tokens: int,
) -> States:
    """Hidden states at the last token of each text of token ids, in single precision."""
    found: Any = None
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    start = 0
    with torch.inference_mode():
        while start < len(order):
            width = len(texts[order[start]])
            batch = order[start : start + max(1, batch_tokens // width)]
            start += len(batch)
            ids = torch.zeros((len(batch), width), dtype=torch.long)
            seen = torch.zeros((len(batch), width), dtype=torch.long)
            for line, index in enumerate(batch):
                ids[line, : len(texts[index])] = torch.tensor(texts[index], dtype=torch.long)
                seen[line, : len(texts[index])] = 1
            states = model.base_model(
                ids.to(model.device),
                attention_mask=seen.to(model.device),
                use_cache=False,
                output_hidden_states=True,
            ).hidden_states
            last = seen.sum(dim=1) - 1
            for at, layer in enumerate(layers):
                own = states[layer]
                picked = own[torch.arange(len(batch)), last.to(own.device)].float().cpu().numpy()
                if found is None:
                    found = np.zeros((len(texts), len(layers), picked.shape[1]), np.float32)
                found[batch, at] = picked
    return np.asarray(found)

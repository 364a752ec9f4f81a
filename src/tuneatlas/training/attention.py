"""Attention in rows that several documents share: on a GPU, document by document.

A dense mask costs the square of a row's length in every layer, and most of it is masked. Flash
attention's kernel for sequences of varying length (`torch.nn.attention.varlen`) computes what is
seen and nothing else. It takes numbers of 16 bits, so that it serves training in bf16; elsewhere
the mask that transformers makes from the positions stays.
"""

import logging
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, PreTrainedModel

log = logging.getLogger(__name__)

KERNEL = "documents"
# What the kernel is written for.
LEAST_CAPABILITY, WIDEST_HEAD = (8, 0), 256
# The most that a position's hidden state may differ, relative to its size. Rounding to bf16 in
# every layer stays under it; a document that sees another does not.
TOLERANCE = 0.1


def spans(position_ids: torch.Tensor) -> dict[str, Any]:
    """Where the documents of all rows begin and end, as attention functions are told.

    ``position_ids``, shape (rows, tokens), begin again at 0 with each document and each row.
    """
    flat = position_ids.flatten()
    starts = (flat == 0).nonzero().flatten()
    bounds = torch.cat([starts, starts.new_tensor([len(flat)])]).to(torch.int32)
    longest = int(bounds.diff().max())
    return {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def by_document(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within the documents that ``kwargs`` bound; see `spans`.

    Query, key and value are of shape (rows, heads, tokens, width); the result is of shape (rows,
    tokens, heads, width), as attention functions of transformers return it.
    """
    rows, _, tokens, _ = query.shape
    half = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else value.dtype
    # Positions turn query and key in single precision; autocast does not know this function.
    flat = [part.transpose(1, 2).flatten(0, 1).to(half) for part in (query, key, value)]
    out = varlen_attn(
        flat[0],
        flat[1],
        flat[2],
        kwargs["cu_seq_lens_q"],
        kwargs["cu_seq_lens_k"],
        kwargs["max_length_q"],
        kwargs["max_length_k"],
        scale=scaling,
        window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
        enable_gqa=key.shape[1] != query.shape[1],
    )
    assert isinstance(out, torch.Tensor)
    return out.view(rows, tokens, *out.shape[1:]), None


def use_kernel(model: PreTrainedModel, ids: torch.Tensor, position_ids: torch.Tensor) -> bool:
    """Let ``model`` attend by document from now on, if the kernel serves it; whether it does.

    Both ways of attending are compared on the tokens at hand, shape (rows, tokens). Where the
    kernel is not for this device, number format or model, nothing changes.
    """
    if not _is_for(model, ids.device):
        return False
    AttentionInterface.register(KERNEL, by_document)
    decoder, config = model.base_model, model.config
    dense = config._attn_implementation
    told: dict[str, Any] = {"input_ids": ids, "position_ids": position_ids, "use_cache": False}
    training = decoder.training
    # Dropout, an adapter's for one, would set the two apart.
    decoder.eval()
    with torch.no_grad():
        expected = decoder(**told).last_hidden_state.float()
        config._attn_implementation = KERNEL
        found = decoder(**told, **spans(position_ids)).last_hidden_state.float()
    decoder.train(training)
    apart = float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())
    if apart < TOLERANCE:
        log.info("attention by document (hidden states within %.1g of a dense mask's)", apart)
        return True
    config._attn_implementation = dense
    log.warning(
        "attention through a dense mask: by document the hidden states of this %s model differ by "
        "%.2g of their size",
        *(config.model_type, apart),
    )
    return False


def _is_for(model: PreTrainedModel, device: torch.device) -> bool:
    """Whether the kernel is written for this device, this number format and such heads."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        return False
    config = model.config.get_text_config()
    half = torch.is_autocast_enabled("cuda") or model.dtype in (torch.bfloat16, torch.float16)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    dropout = getattr(config, "attention_dropout", 0.0)
    # Dropout is only applied in training, and a softcap only where a model has one.
    plain = not dropout and getattr(config, "attn_logit_softcapping", None) is None
    return half and width <= WIDEST_HEAD and width % 8 == 0 and plain

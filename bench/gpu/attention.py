"""Rows that documents share: attention by document beside a dense mask and block masks."""

from typing import Any

import torch

from bench.gpu.work import DEVICE, Work, documents, network, seconds
from tuneatlas.models.token_files import write_tokens
from tuneatlas.training.attention import spans, use_kernel
from tuneatlas.training.packing import collate, pack, pieces_of

ROWS = 4


def attention(work: Work) -> list[dict[str, Any]]:
    """Forward and backward pass of the 1B network over packed rows, in milliseconds."""
    found = []
    for row in (work.row, 4 * work.row):
        ids, positions = _batch(work, row)
        model = network(work, "1B", torch.bfloat16 if DEVICE == "cuda" else torch.float32)
        model.activation_checkpointing_enable()
        one: dict[str, Any] = {"row": row, "rows": len(ids)}
        one["dense_ms"], expected = _passes(work, model, ids, positions, {})
        if DEVICE == "cuda":
            model.config._attn_implementation = "flex_attention"
            one["block_mask_ms"], blocks = _passes(work, model, ids, positions, {})
            one["block_mask_apart"] = _apart(blocks, expected)
            model.config._attn_implementation = "sdpa"
        one["kernel_used"] = use_kernel(model, ids, positions)
        more = spans(positions) if one["kernel_used"] else {}
        one["by_document_ms"], ours = _passes(work, model, ids, positions, more)
        one["by_document_apart"] = _apart(ours, expected)
        if DEVICE == "cuda":
            for layer in model.model.layers:
                layer.compile()
            one["by_document_compiled_ms"], _ = _passes(work, model, ids, positions, more)
        found.append(one)
        del model
    return found


def _batch(work: Work, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        # A row of the longer kind holds some documents of its whole length's quarter too.
        tokens = write_tokens(Path(name), documents(work, ROWS * row // 60))
        rows = pack([p for e in pieces_of(tokens, row, "cut") for p in e], row)[:ROWS]
        arrays = collate(tokens, rows, pad=0)
    made = [torch.from_numpy(arrays[name]).to(DEVICE) for name in ("input_ids", "position_ids")]
    return made[0], made[1]


def _passes(
    work: Work, model: Any, ids: torch.Tensor, positions: torch.Tensor, more: dict[str, Any]
) -> tuple[float, torch.Tensor]:
    def once() -> torch.Tensor:
        hidden: torch.Tensor = model.base_model(
            input_ids=ids, position_ids=positions, use_cache=False, **more
        ).last_hidden_state
        hidden.float().pow(2).mean().backward()
        model.zero_grad(set_to_none=True)
        return hidden.detach()

    model.train()
    return 1e3 * seconds(once, work.rounds), once()


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Largest difference of a position's hidden state, relative to its size."""
    return float(((one - other).float().norm(dim=-1) / other.float().norm(dim=-1)).max())

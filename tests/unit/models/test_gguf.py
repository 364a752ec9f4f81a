"""A model through a GGUF file and back, with the names and the order that llama.cpp gives it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.examples import TINY
from tests.unit.steps import a_step
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.gguf import load_gguf
from tuneatlas.training.base import prepare_base

gguf = pytest.importorskip("gguf")

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers.": "blk.",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
}


def interleaved(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a projection in llama.cpp's order: rotary halves side by side."""
    parts = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(weights.shape))


@pytest.fixture
def written(tmp_path: Path, tokenizer):
    """A random Llama and its GGUF file."""
    model = new_llama(tokenizer, TINY, seed=5).eval()
    path = tmp_path / "package/tiny.gguf"
    path.parent.mkdir()
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(TINY["max_length"])
    out.add_embedding_length(TINY["hidden_size"])
    out.add_block_count(TINY["layers"])
    out.add_feed_forward_length(TINY["intermediate_size"])
    out.add_head_count(TINY["heads"])
    out.add_head_count_kv(TINY["kv_heads"])
    out.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    out.add_rope_dimension_count(TINY["hidden_size"] // TINY["heads"])
    state = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    out.add_tokenizer_model("gpt2")
    out.add_token_list(sorted(state["vocab"], key=state["vocab"].get))
    special = len(tokenizer.all_special_tokens)
    kinds = [gguf.TokenType.CONTROL] * special
    out.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(state["vocab"]) - special))
    out.add_token_merges([" ".join(pair) for pair in state["merges"]])
    out.add_bos_token_id(tokenizer.bos_token_id)
    out.add_eos_token_id(tokenizer.eos_token_id)
    for name, tensor in model.state_dict().items():
        weights = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            weights = interleaved(weights, TINY["heads" if "q_proj" in name else "kv_heads"])
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        if name != "lm_head.weight":  # tied
            out.add_tensor(name, weights)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return model, path


def test_weights_and_tokens_come_back(written, tokenizer):
    model, path = written
    loaded, again = load_gguf(path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    text = "The capital of France is Paris."
    assert again.encode(text) == tokenizer.encode(text)
    assert (again.bos_token, again.eos_token) == (tokenizer.bos_token, tokenizer.eos_token)


def test_brought_once_into_a_plain_folder(written, tmp_path):
    model, path = written
    options = {"source": "package", "file": "tiny.gguf", "bos": True}
    prepare_base(
        a_step(tmp_path, {"package": path.parent}, {"model": "base"}, options), {}, "float32"
    )
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base").state_dict()
    assert all(torch.equal(plain[n], t) for n, t in model.state_dict().items())
    assert "quantization_config" not in json.loads((tmp_path / "base/config.json").read_text())


def test_other_files_are_named(written, tmp_path):
    _, path = written
    with pytest.raises(UserError, match=r"weights\.bin: weights in a package are read from .gguf"):
        load_gguf(tmp_path / "weights.bin")
    path.write_bytes(path.read_bytes()[:50])
    options = {"source": "package", "file": "tiny.gguf"}
    with pytest.raises(UserError, match=r"models\.mini: .*tiny\.gguf: cannot be opened as"):
        prepare_base(
            a_step(tmp_path, {"package": path.parent}, {"model": "base"}, options), {}, "float32"
        )

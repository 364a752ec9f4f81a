"""Attention by document. Its kernel needs a GPU: here a plain loop stands in its place."""

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from tests.examples import TINY
from tuneatlas.models.build import new_llama
from tuneatlas.training import attention
from tuneatlas.training.loss import supervise

# Two rows of documents: 3 + 4 + 1 tokens and 8.
POSITIONS = torch.tensor([[0, 1, 2, 0, 1, 2, 3, 0], [0, 1, 2, 3, 4, 5, 6, 7]])
IDS = torch.arange(3, 19).view(2, 8)


def plain(query, key, value, starts, _, longest, __, *, scale, window_size, enable_gqa):
    """What `varlen_attn` computes, one document at a time; shapes (tokens, heads, width)."""
    assert enable_gqa == (query.shape[1] != key.shape[1])
    left, right = window_size
    assert right == 0
    found = []
    for start, end in zip(starts.tolist(), starts.tolist()[1:], strict=False):
        assert end - start <= longest
        parts = [part[start:end].transpose(0, 1) for part in (query, key, value)]
        at = torch.arange(end - start)
        seen = at[None] <= at[:, None]
        if left >= 0:
            seen &= at[None] >= at[:, None] - left
        one = torch.nn.functional.scaled_dot_product_attention(
            *parts, attn_mask=seen, scale=scale, enable_gqa=enable_gqa
        )
        found.append(one.transpose(0, 1))
    return torch.cat(found)


@pytest.fixture
def kernel(monkeypatch):
    """The stand-in, taken on a processor, too."""
    monkeypatch.setattr(attention, "varlen_attn", plain)
    monkeypatch.setattr(attention, "_is_for", lambda *_: True)


def models(tokenizer):
    shape = dict(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    torch.manual_seed(0)
    return [
        new_llama(tokenizer, TINY, seed=1),
        MistralForCausalLM(MistralConfig(**shape, sliding_window=3)),
    ]


def test_spans_begin_with_documents_and_rows():
    found = attention.spans(POSITIONS)
    assert found["cu_seq_lens_q"].tolist() == [0, 3, 7, 8, 16]
    assert found["max_length_q"] == 8


def test_the_loss_is_that_of_a_dense_mask(kernel, tokenizer):
    for model in models(tokenizer):
        labels = torch.where(POSITIONS > 0, IDS, -100)
        losses = []
        for use in (True, False):
            model.config._attn_implementation = "sdpa"
            supervise(model)
            with pytest.MonkeyPatch.context() as patch:
                if not use:
                    patch.setattr(attention, "_is_for", lambda *_: False)
                out = model(input_ids=IDS, position_ids=POSITIONS, labels=labels)
            assert (model.config._attn_implementation == attention.KERNEL) == use
            losses.append(float(out["loss"].detach()))
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    "fault",
    [
        lambda starts: starts[[0, -1]],  # documents see each other
        lambda starts: torch.arange(starts[-1] + 1),  # tokens see nothing but themselves
    ],
)
def test_a_kernel_that_differs_is_left(kernel, monkeypatch, tokenizer, caplog, fault):
    model = new_llama(tokenizer, TINY, seed=1)

    def wrong(query, key, value, starts, _, __, ___, **kwargs):
        return plain(query, key, value, fault(starts), None, 99, 99, **kwargs)

    monkeypatch.setattr(attention, "varlen_attn", wrong)
    assert not attention.use_kernel(model, IDS, POSITIONS)
    assert model.config._attn_implementation == "sdpa"
    assert "dense mask" in caplog.text


def test_dropout_does_not_set_the_two_apart(kernel, tokenizer):
    model = new_llama(tokenizer, TINY, seed=1).train()
    model.model.norm = torch.nn.Sequential(model.model.norm, torch.nn.Dropout(0.5))
    assert attention.use_kernel(model, IDS, POSITIONS)
    assert all(module.training for module in model.modules())


def test_a_processor_keeps_the_dense_mask(tokenizer):
    assert not attention.use_kernel(new_llama(tokenizer, TINY, seed=1), IDS, POSITIONS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_kernel_itself(tokenizer):
    model = new_llama(tokenizer, TINY, seed=1).to("cuda", torch.bfloat16)
    assert attention.use_kernel(model, IDS.to("cuda"), POSITIONS.to("cuda"))

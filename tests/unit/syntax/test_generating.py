"""The engine on processors against transformers' own beam search."""

import random

import pytest
import torch

from tuneatlas.models import train_tokenizer
from tuneatlas.syntax.generating import by_transformers, generate
from tuneatlas.syntax.models import new_t5
from tuneatlas.syntax.vocabulary import add_structure_tokens, decode
from tuneatlas.training.seq2seq import encode_end

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2, "dropout": 0.0}


@pytest.mark.parametrize("beams", [1, 5])
@pytest.mark.parametrize("length_penalty", [1.0, 0.5])
def test_writes_what_transformers_writes(beams, length_penalty):
    """Also where an output is cut off, and where inputs of a batch differ in length."""
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=3)
    add_structure_tokens(model, tokenizer)
    # A decided model, as a trained one is, that does not just repeat what it wrote.
    model.shared.weight.data *= 0.05
    model.decoder.final_layer_norm.weight.data *= 50
    model.eval()
    rng = random.Random(beams)
    inputs = [" ".join(rng.choices(["the", "cat", "mat", "<sep>"], k=n)) for n in range(1, 24)]
    options = {
        "beams": beams,
        "length_penalty": length_penalty,
        "max_new_tokens": 9,
        "max_length": 40,
        "batch_rows": 7,
    }
    torch.set_num_threads(1)
    coded = [encode_end(tokenizer, text) for text in inputs]
    assert max(map(len, coded)) <= options["max_length"]
    expected = by_transformers(model, tokenizer, coded, options, inputs)
    assert generate(model, tokenizer, inputs, options) == [decode(tokenizer, e) for e in expected]
    assert len(set(map(tuple, expected))) > 3

"""The engine on processors against transformers' own beam search."""

import random

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5ForConditionalGeneration

from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.studies.syntax.beam_search import by_transformers, cut_inputs, generate
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens, decode
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


def test_outputs_are_searched_for_as_the_config_says_and_of_numbers_alone():
    """By both engines: what the model's folder brings along, and weights that are no numbers."""
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=3).eval()
    options = {
        "beams": 2,
        "length_penalty": 1.0,
        "max_new_tokens": 6,
        "max_length": 40,
        "batch_rows": 2,
    }
    inputs = ["the cat", "the mat sat on"]
    coded = [encode_end(tokenizer, text) for text in inputs]
    wanted = by_transformers(model, tokenizer, coded, options, inputs)
    model.generation_config.suppress_tokens = wanted[0]
    model.generation_config.repetition_penalty = 3.0
    assert by_transformers(model, tokenizer, coded, options, inputs) == wanted
    model.shared.weight.data[:] = float("nan")
    with pytest.raises(UserError, match="the cat: what the model computes is not a number"):
        by_transformers(model, tokenizer, coded, options, inputs)
    with pytest.raises(UserError, match=r"input 'q/\d': the score of what the model writes is"):
        generate(model, tokenizer, inputs, options, names=["q/1", "q/2"])


def unscaled_t5(tokenizer):
    """Of the later T5s, with one matrix for input and output, whose product is not scaled."""
    config = new_t5(tokenizer, SHAPE, seed=3).config
    config.scale_decoder_outputs = False
    return T5ForConditionalGeneration(config)


def bart(tokenizer):
    """What it writes begins with the end token, which is given."""
    sides = {f"{side}_{what}": 2 for side in ("encoder", "decoder") for what in ("layers",)}
    sides |= {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    end = tokenizer.eos_token_id
    ids = {"eos_token_id": end, "decoder_start_token_id": end, "pad_token_id": 2}
    config = BartConfig(vocab_size=len(tokenizer), d_model=32, **sides, **ids)
    return BartForConditionalGeneration(config)


@pytest.mark.parametrize("make", [unscaled_t5, bart])
def test_what_the_fast_engine_reads_otherwise_is_written_by_the_models_own_code(make):
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    torch.manual_seed(3)
    model = make(tokenizer).eval()
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data *= 4
    options = {"beams": 4, "length_penalty": 1.0, "max_new_tokens": 8}
    inputs = [f"the cat {n} sat" for n in range(8)]
    coded = [encode_end(tokenizer, text) for text in inputs]
    start = model.config.decoder_start_token_id
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor(coded[:1], device=model.device),
            decoder_input_ids=torch.tensor([[start]], device=model.device),
        ).logits[0, 0]
    greedy = by_transformers(model, tokenizer, coded[:1], options | {"beams": 1}, inputs)
    assert greedy[0][0] == int(logits.argmax())
    expected = by_transformers(model, tokenizer, coded, options, inputs)
    written = generate(model, tokenizer, inputs, options | {"max_length": 40, "batch_rows": 8})
    assert written == [decode(tokenizer, ids) for ids in expected]
    assert any(written)


def test_inputs_that_are_cut_are_counted(caplog):
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=3).eval()
    options = {
        "beams": 1,
        "length_penalty": 1.0,
        "max_new_tokens": 2,
        "max_length": 5,
        "batch_rows": 2,
    }
    generate(model, tokenizer, ["the", "the cat sat on the mat"], options, names=["q/1", "q/2"])
    assert "1 of 2 inputs are longer than max_length (5 tokens)" in caplog.text
    assert "such as input 'q/2'" in caplog.text
    assert cut_inputs(tokenizer, ["the", "the cat sat on the mat"], options) == 1

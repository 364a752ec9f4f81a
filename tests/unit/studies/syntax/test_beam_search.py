"""The engine on processors against transformers' own beam search."""

import random

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    T5ForConditionalGeneration,
)

from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.studies.syntax.beam_search import _translator, by_transformers, cut_inputs, generate
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens, decode
from tuneatlas.training.seq2seq import encode_end

SEARCH = {
    "length_penalty": 1.0,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "search": "early",
    "max_length": 40,
}
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def decided():
    """A decided model, as a trained one is, that ends some outputs; its tokenizer, and inputs."""
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=5)
    add_structure_tokens(model, tokenizer)
    # Training parts the tokens that begin as copies, between which no search could decide.
    weights, generator = model.shared.weight.data, torch.Generator().manual_seed(5)
    weights += 0.1 * torch.randn(weights.shape, generator=generator)
    weights *= 0.05
    model.decoder.final_layer_norm.weight.data *= 50
    model.shared.weight.data[tokenizer.eos_token_id] *= 3
    rng = random.Random(5)
    words = ["the", "cat", "mat", "<sep>"]
    inputs = [" ".join(rng.choices(words, k=n)) for n in range(1, 20)]
    torch.set_num_threads(1)
    return model.eval(), tokenizer, inputs


@pytest.mark.parametrize(
    ("beams", "penalty", "shortest", "repeated", "never"),
    [
        (1, 1.0, 0, 0, ()),
        (5, 0.5, 0, 0, ()),
        (5, 1.0, 5, 3, ()),
        (1, 1.0, 8, 2, ()),
        (5, 1.0, 5, 3, ("e",)),
    ],
)
def test_writes_what_transformers_writes(decided, beams, penalty, shortest, repeated, never):
    """Also where an output is cut off, where inputs differ in length, where tokens are blocked."""
    model, tokenizer, inputs = decided
    options = SEARCH | {
        "beams": beams,
        "length_penalty": penalty,
        "min_length": shortest,
        "no_repeat_ngram_size": repeated,
        "never": never,
        "max_new_tokens": 9,
        "max_length": 60,
        "batch_rows": 7,
    }
    coded = [encode_end(tokenizer, text) for text in inputs]
    assert max(map(len, coded)) <= options["max_length"]
    expected = by_transformers(model, tokenizer, coded, options, inputs)
    written = generate(model, tokenizer, inputs, options)
    assert written == [decode(tokenizer, e) for e in expected]
    assert len(set(map(tuple, expected))) > 3
    end = tokenizer.eos_token_id
    lengths = [ids.index(end) if end in ids else len(ids) for ids in expected]
    # The token that begins an output is counted, as transformers counts.
    assert min(lengths) >= shortest - 1
    assert shortest or min(lengths) < 4
    assert not any(text in output for text in never for output in written)
    for ids, length in zip(expected, lengths, strict=True):
        grams = list(zip(*(ids[i:length] for i in range(repeated)), strict=False))
        assert len(set(grams)) == len(grams)


def test_a_full_search_is_transformers_own_by_its_defaults(decided):
    model, tokenizer, inputs = decided
    options = SEARCH | {"beams": 5, "min_length": 5, "no_repeat_ngram_size": 2, "search": "full"}
    options |= {"max_new_tokens": 9, "max_length": 60, "batch_rows": 50}
    coded = [encode_end(tokenizer, text) for text in inputs]
    width = max(map(len, coded))
    # What is not stated would be taken from what was asked before.
    own = model.generation_config = GenerationConfig(
        num_beams=5,
        min_length=5,
        no_repeat_ngram_size=2,
        max_new_tokens=9,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=model.config.decoder_start_token_id,
    )
    found = model.generate(
        input_ids=torch.tensor([ids + [2] * (width - len(ids)) for ids in coded]),
        attention_mask=torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in coded]),
        generation_config=own,
    )
    expected = [decode(tokenizer, ids) for ids in found[:, 1:].tolist()]
    assert generate(model, tokenizer, inputs, options) == expected
    assert generate(model, tokenizer, inputs, options | {"search": "early"}) != expected


def test_outputs_are_searched_for_as_the_config_says_and_of_numbers_alone():
    """By both engines: what the model's folder brings along, and weights that are no numbers."""
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    model = new_t5(tokenizer, SHAPE, seed=3).eval()
    options = SEARCH | {
        "beams": 2,
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


def own_head_t5(tokenizer):
    """As Flan-T5 is: the output has a matrix of its own, and is not scaled."""
    model = unscaled_t5(tokenizer)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.randn(model.lm_head.weight.shape))
    return model


@pytest.mark.parametrize("make", [unscaled_t5, own_head_t5])
def test_the_fast_engine_reads_t5s_whose_output_is_not_scaled(make):
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    torch.manual_seed(3)
    model = make(tokenizer).eval()
    assert _translator(model, tokenizer, encode_end(tokenizer, "the cat sat")) is not None


def uneven_t5(tokenizer):
    """With an epsilon in its norms that CTranslate2 does not know of."""
    config = new_t5(tokenizer, SHAPE, seed=3).config
    config.layer_norm_epsilon = 1.0
    return T5ForConditionalGeneration(config)


def bart(tokenizer):
    """What it writes begins with the end token, which is given."""
    sides = {f"{side}_{what}": 2 for side in ("encoder", "decoder") for what in ("layers",)}
    sides |= {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    end = tokenizer.eos_token_id
    ids = {"eos_token_id": end, "decoder_start_token_id": end, "pad_token_id": 2}
    config = BartConfig(vocab_size=len(tokenizer), d_model=32, **sides, **ids)
    return BartForConditionalGeneration(config)


@pytest.mark.parametrize("make", [uneven_t5, bart])
def test_what_the_fast_engine_reads_otherwise_is_written_by_the_models_own_code(make):
    tokenizer = train_tokenizer(["the cat sat on the mat, the end"], 300)
    torch.manual_seed(3)
    model = make(tokenizer).eval()
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data *= 4
    options = SEARCH | {"beams": 4, "max_new_tokens": 8}
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
    options = SEARCH | {
        "beams": 1,
        "max_new_tokens": 2,
        "max_length": 5,
        "batch_rows": 2,
    }
    generate(model, tokenizer, ["the", "the cat sat on the mat"], options, names=["q/1", "q/2"])
    assert "1 of 2 inputs are longer than max_length (5 tokens)" in caplog.text
    assert "such as input 'q/2'" in caplog.text
    assert cut_inputs(tokenizer, ["the", "the cat sat on the mat"], options) == 1

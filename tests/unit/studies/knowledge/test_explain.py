"""Explanations are drawn as the config says, whatever lies in the model's folder."""

import json

import pytest

from tests.examples import TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ExplainTemplate
from tuneatlas.models.save import save_model
from tuneatlas.studies.knowledge.explain import explain_predictions

QUESTIONS = {q["id"]: q for q in (question(n, split="dev" if n < 3 else "train") for n in range(7))}
LABELS = [
    {"id": i, "group": "self_aligning", "pred": 1}
    for i, q in QUESTIONS.items()
    if q["split"] == "train"
]
OPTIONS = {
    "temperature": 0.7,
    "top_p": 0.8,
    "max_new_tokens": 12,
    "shots": 1,
    "batch_rows": 8,
    "dtype": "float32",
}
BROUGHT = [
    {"do_sample": True, "repetition_penalty": 1.9},
    {"do_sample": True, "min_p": 0.3},
    {"do_sample": True, "typical_p": 0.2},
    {"num_beams": 4},
    {"suppress_tokens": list(range(60, 300))},
    {"no_repeat_ngram_size": 1},
    {"eos_token_id": [1, *range(70, 200)]},
    {"max_length": 3, "temperature": 0.1},
]


def explain(folder, **changes):
    template = ExplainTemplate.load(TEMPLATES / "explain/urial.yaml")
    options = OPTIONS | changes
    rows = explain_predictions(folder, QUESTIONS, LABELS, template, options, bos=True, seed=5)
    return [(row["explanation"], row["finish"]) for row in rows]


@pytest.fixture
def folder(tmp_path, model, tokenizer):
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data.mul_(3)
    save_model(tmp_path, model, tokenizer)
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    return tmp_path


def test_what_a_folder_brings_along_changes_no_text(folder):
    wanted = explain(folder)
    assert len({text for text, _ in wanted}) > 1
    for brought in BROUGHT:
        (folder / "generation_config.json").write_text(json.dumps(brought))
        assert explain(folder) == wanted, brought


def test_a_prompt_that_leaves_no_room_names_its_question(folder):
    with pytest.raises(UserError, match=r"^question '.*/6': its prompt of \d+ .* 256 .* or shots"):
        explain(folder, max_new_tokens=250)
    with pytest.raises(UserError, match=r"max_new_tokens, shorten"):
        explain(folder, max_new_tokens=250, shots=0)


def test_a_model_that_computes_no_numbers_names_the_question(folder, model, tokenizer):
    model.get_input_embeddings().weight.data[tokenizer.convert_tokens_to_ids("6")] = float("nan")
    save_model(folder, model, tokenizer)
    with pytest.raises(UserError, match=r"^question 'numbers/next/\d': what the model computes is"):
        explain(folder)

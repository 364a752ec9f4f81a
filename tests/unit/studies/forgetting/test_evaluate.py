"""How kept models are measured: their answers, and the likelihood of text, to the byte."""

import json

import numpy as np
import pytest

from tests.examples import TEMPLATES, question
from tests.unit.steps import document
from tuneatlas.errors import UserError
from tuneatlas.models.encode import encode
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate, few_shot_prompt
from tuneatlas.models.token_files import Example
from tuneatlas.studies.forgetting.evaluate import (
    Material,
    Stage,
    base_stages,
    last_windows,
    measure_stages,
    negative_log_likelihoods,
    read,
    stages_of,
    windows,
)
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS


def test_surprise_is_the_likelihood_that_the_scorer_gives(model, tokenizer):
    texts = ["The capital of France is Paris.", "USER: A. B.", "Paris"]
    ids = [encode(tokenizer, text, True) for text in texts]
    expected = log_likelihoods(model, [Request(i[:1], i[1:]) for i in ids], 4096)
    for batch in (1, 4096):
        found = negative_log_likelihoods(model, [Example(i, [True] * len(i)) for i in ids], batch)
        assert found == pytest.approx(-expected, rel=1e-5)


def test_windows_score_every_token_but_the_first_once(tokenizer):
    text = "The capital of France is Paris. " * 9
    whole = encode(tokenizer, text, False)
    pieces = list(windows(whole, 8))
    assert all(len(piece.tokens) <= 8 for piece in pieces)
    assert [t for piece in pieces for t in piece.tokens[1:]] == whole[1:]


def test_a_long_conversation_scores_its_reply_whole(tokenizer):
    """Its question is cut from the left, and a reply longer than a window is read in several."""
    for size, reply in ((3, 5), (40, 5), (40, 8), (40, 9), (40, 30), (3, 30)):
        tokens = list(range(size + reply))
        marks = [False] * size + [True] * reply
        pieces = list(last_windows(Example(tokens, marks), 8))
        assert all(1 < len(piece.tokens) <= 8 for piece in pieces)
        scored = [
            token
            for piece in pieces
            for token, mark in zip(piece.tokens[1:], piece.supervised[1:], strict=True)
            if mark
        ]
        assert sorted(scored) == tokens[size:]


@pytest.mark.parametrize("bos", [True, False])
def test_bytes_are_those_of_what_is_scored(bos, model, tokenizer):
    """However long the question is, and where a document has nothing before its first token."""
    template = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    chat = ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml")
    options = {"batch_tokens": 4096, "conversations": 2, "window": 64}
    text = "After 7 comes 8."
    for more in ("", "The court held that no number was named. " * 9):
        asked = question(3, question=f"{more}Which number follows 3?", explanation="Four é.")
        material = Material(
            [asked], {asked["id"]: ""}, [document(1, text, "heldout")], template, template, chat
        )
        seen, said = read(model, tokenizer, material, options, bos)
        first = encode(tokenizer, text, False)[0]
        unscored = 0 if bos else len(tokenizer.decode([first]).encode())
        assert seen["bytes"] == len(text.encode()) - unscored
        reply = " 4\nFour é.</s>"
        assert said["bytes"] == len(reply.encode())
        # An untrained model knows nothing of any token.
        count = len(encode(tokenizer, reply.removesuffix("</s>"), False)) + 1
        assert said["nats"] == pytest.approx(count * np.log(len(tokenizer)), rel=0.1)
    # No window is longer than the model.
    most, more = (
        list(read(model, tokenizer, material, options | {"window": n}, bos)) for n in (256, 500)
    )
    assert most == more
    model.get_output_embeddings().weight.data[5] = float("nan")
    with pytest.raises(UserError, match=r"^text '.*': the model.s score is nan"):
        list(read(model, tokenizer, material, options, bos))


def test_models_of_a_run_are_measured_with_the_prompts_of_the_probe(tmp_path, base, model):
    for path in ("kept/2", "tuned", "restored/2/50", "restored/2/100", "restored/finetune/100"):
        save = tmp_path / path
        save.mkdir(parents=True)
        for file in base.iterdir():
            (save / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tuned/training_summary.json").write_text(json.dumps({"steps": 25}))
    restored = [tmp_path / "restored/2", tmp_path / "restored/finetune"]
    found = stages_of([tmp_path / "kept/2"], restored, tmp_path / "tuned")
    assert [tuple(stage.key.values()) for stage in found] == [
        ("stages", 2, 0),
        ("finetune", 25, 0),
        ("stages", 2, 50),
        ("stages", 2, 100),
        ("finetune", 25, 100),
    ]
    assert [s.restored for s in base_stages(base, tmp_path / "restored/2")] == [0, 50, 100]

    template = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    questions = [question(n, split="test") for n in range(3)]
    prompts = {q["id"]: few_shot_prompt(template, [question(9)], q) for q in questions}
    chat = ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml")
    heldout = [document(1, "After 7 comes 8.", "heldout")]
    material = Material(questions, prompts, heldout, template, template, chat)
    options = {
        "scoring": "cloze",
        "dtype": "float32",
        "batch_tokens": 4096,
        "conversations": 2,
        "window": 64,
    }
    answers, texts = measure_stages(
        [Stage(base, "base", 0, 0), found[0]], material, options, bos=True
    )
    STAGE_ANSWERS.build(answers)
    STAGE_TEXTS.build(texts)
    # Equal weights: equal answers.
    half = len(answers) // 2
    assert [r["scores"] for r in answers[:half]] == [r["scores"] for r in answers[half:]]
    assert {row["kind"] for row in texts} == {"quiz", "instruction"}


def test_a_tuned_model_without_its_summary(tmp_path):
    with pytest.raises(UserError, match="how long it was trained"):
        stages_of([], [], tmp_path)

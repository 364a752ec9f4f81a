"""Tuning that keeps models, restoration of them, and how both are measured."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEMPLATES, question
from recipes import RECIPE
from test_prepare import document
from test_trainer import fingerprint
from transformers import AutoModelForCausalLM

from tuneatlas.engine.step import Step, derive_seed
from tuneatlas.errors import UserError
from tuneatlas.models import checkpoints
from tuneatlas.models.encode import encode
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate, few_shot_prompt
from tuneatlas.models.save import save_model
from tuneatlas.models.token_files import Example
from tuneatlas.studies.forgetting.evaluate import (
    Material,
    Stage,
    base_stages,
    last_windows,
    measure_stages,
    read,
    stages_of,
    surprise,
    windows,
)
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import curve_steps, restore
from tuneatlas.studies.knowledge.finetune import finetune
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS, STAGE_ANSWERS, STAGE_TEXTS
from tuneatlas.training import keeping, trainer

# Long enough that the replies, which stand at the end, are within a row.
TRAINING = asdict(RECIPE) | {"checkpoint_steps": 1, "row_length": 256}


@pytest.fixture
def base(tmp_path: Path, model, tokenizer) -> Path:
    folder = tmp_path / "base"
    save_model(folder, model, tokenizer)
    return folder


def a_step(folder: Path, inputs: dict, outputs: dict, options: dict, work: str = "work") -> Step:
    return Step(
        name="a_step",
        wildcards={"model": "mini", "seed": "0"},
        inputs={name: str(path) for name, path in inputs.items()},
        outputs={name: folder / path for name, path in outputs.items()},
        options=options,
        threads=1,
        base_seed=1,
        seed=2,
        checkpoints=folder / work,
    )


def tuning(folder: Path, base: Path, steps: list[int], name: str = "kept", epochs: int = 3) -> Step:
    rows = [
        {
            "id": f"q/{n}",
            "origin": "incompatible",
            "label": 0,
            "messages": [
                {"role": "user", "content": f"Which number follows {n}?"},
                {"role": "assistant", "content": f"{n + 1} follows {n}."},
            ],
            "weight": 1.0,
        }
        for n in range(12)
    ]
    CONVERSATIONS.write(folder / "conversations.parquet", rows)
    inputs = {
        "model": base,
        "conversations": folder / "conversations.parquet",
        "template": TEMPLATES / "chat/vicuna.yaml",
    }
    outputs = {f"step_{n}": f"{name}/{n}" for n in steps}
    options = TRAINING | {"steps": steps, "epochs": epochs, "schedule_end": "epochs"}
    return a_step(folder, inputs, outputs, options, f"work-{name}")


def restoring(folder: Path, models: dict[str, Path], tokens: int = 200, name: str = "r") -> Step:
    documents = [document(n, f"After {n} comes {n + 1}, and then {n + 2}. " * 2) for n in range(40)]
    documents.append(document(99, "After 7 comes 8, held out for measuring.", "heldout"))
    DOCUMENTS.write(folder / "material/documents.parquet", documents)
    options = TRAINING | {"tokens": tokens, "curve": [50], "batch": 1, "batch_unit": "rows"}
    options |= {"rows_per_device": 1, "epochs": 1, "row_length": 128}
    inputs = {**models, "material": folder / "material"}
    return a_step(folder, inputs, {m: f"{name}/{m}" for m in models}, options, f"work-{name}")


def weights(folder: Path) -> str:
    return fingerprint(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))


def test_the_model_is_kept_at_each_step_and_a_stopped_run_goes_on(tmp_path, base, monkeypatch):
    straight = tuning(tmp_path, base, [1, 3, 5])
    facts = finetune_stages(straight, bos=True)
    assert facts["steps"] == 5
    kept = {n: weights(tmp_path / "kept" / str(n)) for n in (1, 3, 5)}
    assert len({weights(base), *kept.values()}) == 4

    stopped = tuning(tmp_path, base, [1, 3, 5], "again")
    save = trainer.save_model

    def fail_at_three(folder, *model):
        if folder.name.endswith("@3"):
            raise KeyboardInterrupt
        save(folder, *model)

    monkeypatch.setattr(trainer, "save_model", fail_at_three)
    with pytest.raises(KeyboardInterrupt):
        finetune_stages(stopped, bos=True)
    assert not (tmp_path / "again").exists()
    monkeypatch.setattr(trainer, "save_model", save)
    finetune_stages(stopped, bos=True)
    assert {n: weights(tmp_path / "again" / str(n)) for n in (1, 3, 5)} == kept


def test_the_models_kept_are_those_of_finetune_along_its_way(tmp_path, base):
    """Same data, same rates: byte for byte, wherever the run is ended."""
    whole = tuning(tmp_path, base, [2, 4, 6], "whole")
    finetune_stages(whole, bos=True)
    finetune_stages(tuning(tmp_path, base, [2, 4], "part"), bos=True)
    tuned = tuning(tmp_path, base, [6], "tuned")
    tuned.outputs = {"model": tmp_path / "tuned"}
    tuned.seed = derive_seed(tuned.base_seed, "finetune", *sorted(tuned.wildcards.items()))
    assert finetune(tuned, bos=True)["steps"] == 6

    def data(path: str) -> bytes:
        return (tmp_path / path / "model.safetensors").read_bytes()

    assert data("part/2") == data("whole/2")
    assert data("part/4") == data("whole/4")
    assert data("tuned") == data("whole/6")


def test_a_schedule_may_end_at_the_last_step_kept(tmp_path, base):
    whole = tuning(tmp_path, base, [2, 4], "whole")
    short = tuning(tmp_path, base, [2, 4], "short")
    short.options |= {"schedule_end": "steps"}
    facts = [finetune_stages(step, bos=True) for step in (whole, short)]
    assert [f["steps"] for f in facts] == [4, 4]
    assert weights(tmp_path / "whole/4") != weights(tmp_path / "short/4")


def test_a_run_of_few_steps_is_warned_of(tmp_path, base, caplog):
    finetune_stages(tuning(tmp_path, base, [1]), bos=True)
    assert "only 6 optimizer steps: 3 epochs of 12 examples in batches of 6" in caplog.text


def test_steps_never_reached_are_refused_by_name_before_training(tmp_path, base, monkeypatch):
    monkeypatch.setattr(keeping, "train", lambda *_, **__: pytest.fail("training began"))
    with pytest.raises(UserError, match=r"steps: 7, 90 are never reached: 3 epochs of 12 conv"):
        finetune_stages(tuning(tmp_path, base, [1, 6, 7, 90]), bos=True)


def test_every_model_is_restored_alike_and_kept_along_the_way(tmp_path, base):
    finetune_stages(tuning(tmp_path, base, [2]), bos=True)
    models = {"step_2": tmp_path / "kept/2", "base": base}
    facts = restore(restoring(tmp_path, models), bos=False)
    assert facts["tokens"] == 200
    points = [tmp_path / "r" / name / at for name in models for at in ("50", "100")]
    assert len({weights(path) for path in [*points, *models.values()]}) == 6
    # Alone, the base model trains on the same text in the same order.
    restore(restoring(tmp_path, {"base": base}, name="alone"), bos=False)
    assert weights(tmp_path / "alone/base/100") == weights(tmp_path / "r/base/100")


def test_curve_steps():
    assert curve_steps([25, 50], 40) == {25: 10, 50: 20, 100: 40}
    assert curve_steps([25], 1) == {25: 1, 100: 1}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "has no .*safetensors"),
        (lambda folder: cut(folder / "model.safetensors"), "is truncated"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "cannot be used"),
    ],
)
def test_a_checkpoint_that_is_not_whole(tmp_path, base, damage, message):
    damage(base)
    with pytest.raises(UserError, match=message) as caught:
        checkpoints.load_checkpoint(base)
    assert "delete the folder and run again" in str(caught.value)
    assert "\n" not in str(caught.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def test_a_checkpoint_that_is_missing(tmp_path, base):
    with pytest.raises(UserError, match="there is no folder"):
        restore(restoring(tmp_path, {"step_4": tmp_path / "gone"}), bos=False)


def test_surprise_is_the_likelihood_that_the_scorer_gives(model, tokenizer):
    texts = ["The capital of France is Paris.", "USER: A. B.", "Paris"]
    ids = [encode(tokenizer, text, True) for text in texts]
    expected = log_likelihoods(model, [Request(i[:1], i[1:]) for i in ids], 4096)
    for batch in (1, 4096):
        found = surprise(model, [Example(i, [True] * len(i)) for i in ids], batch)
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
    with pytest.raises(UserError, match="not probed on question 'numbers/next/0' .and 0 more"):
        Material(questions[:1], {}, heldout, template, template, chat)


def test_a_tuned_model_without_its_summary(tmp_path):
    with pytest.raises(UserError, match="how long it was trained"):
        stages_of([], [], tmp_path)

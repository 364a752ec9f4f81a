"""A training that goes wrong is ended at that step and leaves nothing behind."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuneatlas.engine.step import may_pass
from tests.examples import ROOT
from tests.unit.training.recipes import RECIPE, planned, setting
from tuneatlas.errors import TransientError, UserError
from tuneatlas.training import processes
from tuneatlas.training.processes import train

ZERO2 = str(ROOT / "config/deepspeed/zero2.json")


# Far beyond what the config allows: the second step has no numbers any more.
DIVERGING = replace(RECIPE, learning_rate=1e30, warmup_ratio=0.0, checkpoint_steps=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_rank": 4, "learning_rate": 1e17},
        {"max_grad_norm": 0.0},
        {"precision": "bf16"},
        pytest.param({"processes": 2, "rows_per_device": 1}, marks=pytest.mark.slow),
        pytest.param(
            {"processes": 2, "rows_per_device": 1, "deepspeed": ZERO2}, marks=pytest.mark.slow
        ),
    ],
)
def test_a_training_that_diverges_is_ended_at_that_step(tmp_path, tokenizer, changes):
    """Also when it is taken up again: a checkpoint of the step before may be there."""
    kept = {n: [tmp_path / f"kept/{n}"] for n in (1, 2, 3, 4)}
    for _ in range(2):
        model, run = planned(
            setting(tmp_path, tokenizer),
            *(tokenizer, tmp_path / "c", replace(DIVERGING, **changes)),
            kept=kept,
            section="finetune",
        )
        with pytest.raises(UserError) as caught:
            train(model, run)
        said = str(caught.value)
        assert type(caught.value) is UserError and "\n" not in said
        assert "step 2 of 15 is" in said and "learning rate 9.8" in said
        peak = f"(now {run.recipe.learning_rate:g})"
        assert f"lower finetune.learning_rate {peak}: no model is written" in said
        assert not any((tmp_path / f"kept/{n}").exists() for n in (2, 3, 4))


def test_what_one_of_several_processes_refuses_is_a_users_matter(tmp_path, tokenizer, monkeypatch):
    """Not one that may pass, so no attempt is made again."""

    def refuse(folder):
        raise UserError("finetune: no number")

    monkeypatch.setattr(processes, "_work", refuse)

    def run_here(command, *_):
        with pytest.raises(UserError):
            processes.work(Path(command[-1]))
        raise TransientError("ended with code 1")

    monkeypatch.setattr(processes, "run_shared", run_here)
    recipe = replace(RECIPE, processes=2)
    with pytest.raises(UserError, match="finetune: no number") as caught:
        train(*planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "c", recipe))
    assert not may_pass(caught.value)


def test_weights_that_the_last_update_breaks_are_not_written(tmp_path, tokenizer):
    model, tokens, plan = setting(tmp_path, tokenizer)
    recipe = replace(RECIPE, learning_rate=1e39, warmup_ratio=0.0)
    kept = {1: [tmp_path / "kept"]}
    _, run = planned((model, tokens, plan[:1]), tokenizer, tmp_path / "c", recipe, kept=kept)
    with pytest.raises(UserError, match="after step 1 of 1 .* weights are not finite"):
        train(model, run)
    assert not (tmp_path / "kept").exists()


def test_a_model_that_is_broken_already_is_told_from_a_training_that_diverges(tmp_path, tokenizer):
    model, tokens, plan = setting(tmp_path, tokenizer)
    model.lm_head.weight.data[:] = float("nan")
    _, run = planned((model, tokens, plan), tokenizer, tmp_path / "c")
    with pytest.raises(UserError, match="step 1 of 15 is nan .* before any update"):
        train(model, run)


def test_losses_are_never_put_in_place_of_others(tmp_path, tokenizer):
    """The trainer's own filter writes 0 where a loss is not finite."""
    history = train(*planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "c"))
    assert all(entry["loss"] > 0 for entry in history)
    json.dumps(history, allow_nan=False)

"""Training in several processes, with DeepSpeed and without: the same as in one."""

import json
import os
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.examples import ROOT
from tests.unit.training.recipes import (
    RECIPE,
    apart,
    fingerprint,
    go_back,
    planned,
    setting,
    weights_of,
)
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.config.trainings import deepspeed_problems
from tuneatlas.errors import TransientError
from tuneatlas.training import processes
from tuneatlas.training.launch import launch_command, run_shared
from tuneatlas.training.processes import read_plan, train, write_plan
from tuneatlas.training.trainer import RESUME, newest_checkpoint

CONFIGS = sorted((ROOT / "config/deepspeed").glob("*.json"))
TWO = replace(RECIPE, processes=2, rows_per_device=1)
pytestmark = pytest.mark.usefixtures("on_processors")


def zero(name: str) -> str:
    return str(ROOT / f"config/deepspeed/{name}.json")


def losses(history: list[dict[str, float]]) -> list[float]:
    return [entry["loss"] for entry in history]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tokenizer):
    """Losses and model of the run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    model, run = planned(setting(folder, tokenizer), tokenizer, folder / "c")
    history = train(model, run)
    return losses(history), model


@pytest.mark.parametrize(
    "name",
    [
        "zero2",
        "zero3",
        pytest.param("zero1", marks=pytest.mark.slow),
        pytest.param("zero0", marks=pytest.mark.slow),
        pytest.param("zero2_offload", marks=pytest.mark.slow),
        pytest.param("zero3_offload", marks=pytest.mark.slow),
    ],
)
def test_deepspeed_in_two_processes_trains_as_one_process(tmp_path, tokenizer, alone, name):
    """Losses per step, weights, and a model kept on the way: whole, plain folders."""
    recipe = replace(TWO, deepspeed=zero(name), keep_checkpoints=9, checkpoint_steps=7)
    kept = {7: [tmp_path / "kept"]}
    states = tmp_path / "states"
    model, run = planned(setting(tmp_path, tokenizer), tokenizer, states, recipe, kept=kept)
    history = train(model, run)
    assert losses(history) == pytest.approx(alone[0], rel=1e-4)
    # Its own schedule is one step on when the trainer asks for the rate.
    rates = [entry["learning_rate"] for entry in history]
    assert rates == [run.rate(i) for i in range(run.length)]
    assert apart(alone[1], model) < 1e-4
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "kept")
    assert plain.num_parameters() == model.num_parameters()
    assert plain.lm_head.weight.data_ptr() == plain.model.embed_tokens.weight.data_ptr()
    # The same run goes on from step 7 in one process.
    go_back(states, 7)
    one = replace(recipe, processes=1)
    again, run = planned(setting(tmp_path, tokenizer), tokenizer, states, one)
    resumed = losses(train(again, run))
    assert resumed[7:] == pytest.approx(alone[0][7:], rel=1e-4)
    assert apart(alone[1], again) < 1e-4


@pytest.mark.parametrize(
    ("name", "count"), [("zero2", 1), pytest.param("zero3", 2, marks=pytest.mark.slow)]
)
def test_deepspeed_in_bf16_writes_the_weights_that_it_trains(tmp_path, tokenizer, name, count):
    """Those in single precision: in bf16 most updates at a small rate are nothing."""
    base, tokens, steps = setting(tmp_path, tokenizer)
    recipe = replace(TWO, deepspeed=zero(name), precision="bf16", learning_rate=1e-5)
    recipe = replace(recipe, processes=count)
    kept = {1: [tmp_path / "kept"]}
    parts = (deepcopy(base), tokens, steps[:2])
    model, run = planned(parts, tokenizer, tmp_path / "c", recipe, kept=kept)
    train(model, run)
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "kept", dtype=torch.float32)
    old = weights_of(base)
    for tuned in (found, model):
        moved = [(value != old[n]).flatten() for n, value in weights_of(tuned).items()]
        assert torch.cat(moved).float().mean() > 0.9
        assert apart(base, tuned) < 1e-4


def test_two_processes_train_as_one(tmp_path, tokenizer, alone):
    """Losses within 1e-4 relative on every step, although rows are dealt out differently."""
    model, run = planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "c", TWO)
    assert losses(train(model, run)) == pytest.approx(alone[0], rel=1e-4)
    assert apart(alone[1], model) < 1e-4
    assert not (tmp_path / "c-shared").exists()


def test_a_run_goes_on_in_two_processes_that_stop_together_when_one_is_asked(
    tmp_path, tokenizer, alone, monkeypatch
):
    """Begun in one process; the wish to stop reaches one of two: both end at the same step."""
    states = tmp_path / "states"
    begun = replace(RECIPE, checkpoint_steps=7, keep_checkpoints=9)
    train(*planned(setting(tmp_path, tokenizer), tokenizer, states, begun))
    go_back(states, 7)

    def asked(work, recipe, stop, *marks):
        stop.touch()
        run_shared(work, recipe, stop, *marks)

    model, run = planned(setting(tmp_path, tokenizer), tokenizer, states, TWO)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(processes, "run_shared", asked)
        train(model, run)
    assert ended.value.code == RESUME and newest_checkpoint(states) == states / "checkpoint-8"
    again, run = planned(setting(tmp_path, tokenizer), tokenizer, states, TWO)
    history = train(again, run)
    assert losses(history) == pytest.approx(alone[0], rel=1e-4)
    assert apart(alone[1], again) < 1e-4 and fingerprint(again) != fingerprint(model)


def test_on_several_nodes_there_is_a_launcher_on_each():
    recipe = replace(RECIPE, processes=8, nodes=2)
    command = launch_command(["module", "folder"], recipe, {"SLURM_JOB_ID": "70007"})
    assert command[0] == "srun" and "--nodes=2" in command and "--ntasks-per-node=1" in command
    assert "--nproc-per-node=4" in command and "--nnodes=2" in command
    assert any(part.endswith(":30007") for part in command)
    here = launch_command(["module", "folder"], recipe, {})
    assert "srun" not in here and "--nproc-per-node=8" in here


def test_a_full_gpu_in_one_process_ends_as_in_this_one(tmp_path: Path, monkeypatch):
    """The processes that train say so with a file, which the one that starts them reads."""
    monkeypatch.setattr(processes, "_work", _full)
    with pytest.raises(torch.OutOfMemoryError):
        processes.work(tmp_path)
    marks = [tmp_path / name for name in (processes.STOP, processes.STOPPED, processes.FULL)]
    (tmp_path / "fails.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(torch.OutOfMemoryError):
        run_shared(["fails"], TWO, *marks)
    marks[-1].unlink()
    with pytest.raises(TransientError, match="training in 2 processes ended with code 1"):
        run_shared(["fails"], TWO, *marks)


def _full(folder: Path) -> None:
    raise torch.OutOfMemoryError


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_the_configs_that_come_along_are_sound(path: Path):
    assert list(deepspeed_problems(path, TrainingConfig(precision="fp32"))) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"optimizer": {}}, "leave out optimizer"),
        ({"fp16": {"enabled": True}}, "leave out fp16"),
        ({"bf16": {"enabled": True}}, "precision says it"),
        ({"train_batch_size": 8}, 'train_batch_size must be "auto"'),
        ({"zero_optimization": {"stage": 4}}, "stage is 4"),
        ({"zero_optimization": {"stage": 0}}, "bf16 drifts"),
        ({"zero_optimization": {"stage": 2, "offload_param": {}}}, "needs stage 3, not 2"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {}}}, "torch has AdamW"),
        ({"zero_optimization": {"stage": 3}}, "to write whole models"),
        ([], "is no DeepSpeed config"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, data, said: str):
    path = tmp_path / "zero.json"
    path.write_text(json.dumps(data))
    (text,) = [t for t in deepspeed_problems(path, TrainingConfig()) if said in t]
    assert str(path) in text


def test_plans_read_back(tmp_path, tokenizer):
    _, _, steps = setting(tmp_path, tokenizer)
    write_plan(tmp_path / "plan.npy", steps)
    assert read_plan(tmp_path / "plan.npy") == steps


@pytest.mark.parametrize("written", [True, False])
def test_a_process_that_falls_after_all_is_written_leaves_the_result(
    tmp_path, tokenizer, monkeypatch, written: bool
):
    """Libraries may end a process while they are taken apart, when nothing is left to do."""
    model, run = planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "states", TWO)

    def fall(work, recipe, *marks):
        folder = Path(work[1])
        shutil.copytree(folder / processes.INITIAL, folder / processes.TRAINED)
        if written:
            (folder / processes.HISTORY).write_text('[{"loss": 1.0}]')
        raise TransientError("ended with code 1")

    monkeypatch.setattr(processes, "run_shared", fall)
    if written:
        assert train(model, run) == [{"loss": 1.0}]
    else:
        with pytest.raises(TransientError, match="ended with code 1"):
            train(model, run)

"""The trainer against a plain loop; runs that are killed end with the same weights."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainingArguments

from tests.examples import ROOT
from tests.unit.training.recipes import RECIPE, fingerprint, long_run, planned, setting
from tuneatlas.training.packing import collate
from tuneatlas.training.processes import train
from tuneatlas.training.runs import log_lines
from tuneatlas.training.trainer import RESUME, newest_checkpoint, training_arguments


def test_losses_equal_a_plain_loop(tmp_path, tokenizer):
    """The trainer's batches, loss, clipping and schedule against the textbook loop."""
    model, run = planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "c")
    history = train(model, run)

    plain, tokens, steps = setting(tmp_path, tokenizer)
    plain.to(model.device)
    decay = [p for n, p in plain.named_parameters() if p.ndim > 1]
    rest = [p for n, p in plain.named_parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.95),
    )
    warmup = int(np.ceil(0.1 * len(steps)))

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + np.cos(np.pi * (step - warmup) / (len(steps) - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for rows, entry in zip(steps, history, strict=True):
        total, count = 0.0, 0
        for row in rows:
            for piece in row:  # one document at a time, unpacked
                arrays = collate(tokens, [[piece]], pad=2)
                ids, labels = (
                    torch.from_numpy(arrays[name]).to(plain.device)
                    for name in ("input_ids", "labels")
                )
                logits, labels = plain(ids).logits[0], labels[0]
                total = total + torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
                count += int((labels != -100).sum())
        loss = total / count
        assert float(loss) == pytest.approx(entry["loss"], rel=1e-4)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def test_same_run_same_weights(tmp_path, tokenizer):
    found = set()
    for name in "ab":
        model, run = planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / name)
        train(model, run)
        found.add(fingerprint(model))
    assert len(found) == 1


def test_without_states_nothing_is_left_and_the_weights_are_the_same(tmp_path, tokenizer):
    found = set()
    for kept in (0, 2):
        recipe = replace(RECIPE, checkpoint_steps=2, keep_checkpoints=kept)
        states = tmp_path / f"states_{kept}"
        model, run = planned(setting(tmp_path, tokenizer), tokenizer, states, recipe)
        train(model, run)
        found.add(fingerprint(model))
        assert len([*states.glob("checkpoint-*")]) == kept
    assert len(found) == 1


# Run in a process of its own, so that it can be killed.
DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from tests.examples import tiny_tokenizer
from tests.unit.training.recipes import fingerprint, long_run, planned, setting
from tuneatlas.training.processes import train
train(*long_run(Path({folder!r}), tiny_tokenizer()))
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    code = DRIVER.format(root=str(ROOT), folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)


def end_of(folder: Path, tokenizer) -> tuple[str, str]:
    """What the weights and the log of the run are when it has ended, in this process."""
    model, run = long_run(folder, tokenizer)
    history = train(model, run)
    return fingerprint(model), log_lines(history)


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[str], after: Path | None) -> None:
    while process.poll() is None and newest_checkpoint(folder / "states") in (None, after):
        time.sleep(0.01)


def test_killed_and_resumed_run_ends_with_the_same_weights(tmp_path, tokenizer):
    expected = end_of(tmp_path / "whole", tokenizer)
    folder = tmp_path / "pieces"
    last = None
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1):
        process = start(folder)
        wait_for_checkpoint(folder, process, last)
        process.send_signal(number)
        process.communicate(timeout=300)
        assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else RESUME)
        last = newest_checkpoint(folder / "states")
        assert last is not None
    assert end_of(folder, tokenizer) == expected


def test_a_torn_checkpoint_is_never_taken(tmp_path):
    (tmp_path / ".partial" / "checkpoint-9").mkdir(parents=True)
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-10").mkdir()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("here", [1, 8])
def test_a_process_trains_on_one_device_however_many_it_sees(
    tmp_path, tokenizer, monkeypatch, here
):
    """The library would deal each batch out to all of them, and average their losses."""

    def several(self):
        self._n_gpu = here
        return torch.device("cpu")

    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(several))
    _, run = planned(setting(tmp_path, tokenizer), tokenizer, tmp_path / "c")
    arguments = training_arguments(run)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 1)

"""The same training in several processes: one per device, under torch's own launcher."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
)

from tuneatlas.errors import UserError
from tuneatlas.files import remove, write_text
from tuneatlas.training.packing import Piece, Row
from tuneatlas.training.tokens import TokenFile, open_tokens
from tuneatlas.training.trainer import GO_ON, SIGNALS, Recipe, train_here

INITIAL, TRAINED = "initial", "trained"


def train(
    model: PreTrainedModel,
    tokens: TokenFile,
    steps: Sequence[list[Row]],
    recipe: Recipe,
    *,
    checkpoints: Path,
    pad: int,
    seed: int,
    after_step: Callable[[int], None] | None = None,
) -> list[dict[str, float]]:
    """Train ``model`` in place, in this process or in ``recipe.processes``; see `train_here`."""
    if recipe.processes == 1:
        return train_here(
            model,
            tokens,
            steps,
            recipe,
            checkpoints=checkpoints,
            pad=pad,
            seed=seed,
            after_step=after_step,
        )
    if after_step is not None:
        raise UserError("models along a run are kept in one process only: set processes: 1")
    if tokens.folder is None:
        raise ValueError("tokens in memory cannot be shared between processes")
    folder = checkpoints.with_name(f"{checkpoints.name}-shared")
    remove(folder)
    model.save_pretrained(folder / INITIAL)
    write_plan(folder / "plan.npy", steps)
    job = {
        "tokens": str(tokens.folder.absolute()),
        "recipe": asdict(recipe),
        "checkpoints": str(checkpoints.absolute()),
        "pad": pad,
        "seed": seed,
    }
    write_text(folder / "job.json", json.dumps(job))
    _launch(folder, recipe.processes)
    trained = _network(folder / TRAINED)
    model.load_state_dict(trained.state_dict())
    history: list[dict[str, float]] = json.loads((folder / "history.json").read_text())
    remove(folder)
    return history


def _network(folder: Path) -> PreTrainedModel:
    """The model in ``folder``, of whichever kind."""
    two = AutoConfig.from_pretrained(folder).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if two else AutoModelForCausalLM
    model: PreTrainedModel = kind.from_pretrained(folder, dtype=torch.float32)
    return model


def write_plan(path: Path, steps: Sequence[list[Row]]) -> None:
    """Rows of all steps as one array of (step, row, start, length)."""
    flat = [
        (number, line, piece.start, piece.length)
        for number, rows in enumerate(steps)
        for line, row in enumerate(rows)
        for piece in row
    ]
    np.save(path, np.array(flat, np.int64))


def read_plan(path: Path) -> list[list[Row]]:
    """The steps that `write_plan` wrote."""
    steps: list[list[Row]] = []
    for number, line, start, length in np.load(path).tolist():
        if number == len(steps):
            steps.append([])
        if line == len(steps[number]):
            steps[number].append([])
        steps[number][line].append(Piece(start, length))
    return steps


def _launch(folder: Path, processes: int) -> None:
    """Run `work` in every process; on a signal they save their state and this one exits too."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "-m", __name__, str(folder)]
    # Several threads in each of several processes slow small models down many times over.
    one_each = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=os.environ | one_each)
    signalled = False

    def stop(number: int, frame: Any) -> None:
        nonlocal signalled
        signalled = True
        child.send_signal(signal.SIGTERM)

    previous = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        code = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if code and signalled:
        raise SystemExit(GO_ON)
    if code:
        raise UserError(
            f"training in {processes} processes ended with code {code}; the reason is above. "
            "Its checkpoints are kept: run again to go on"
        )


def work(folder: Path) -> None:
    """What each process does: train its share; the first one writes the result."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    model = _network(folder / INITIAL)
    history = train_here(
        model,
        open_tokens(Path(job["tokens"])),
        read_plan(folder / "plan.npy"),
        Recipe(**job["recipe"]),
        checkpoints=Path(job["checkpoints"]),
        pad=job["pad"],
        seed=job["seed"],
    )
    if torch.distributed.get_rank() == 0:
        model.save_pretrained(folder / TRAINED)
        write_text(folder / "history.json", json.dumps(history))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.INFO if os.environ["RANK"] == "0" else logging.ERROR)
    work(Path(sys.argv[1]))

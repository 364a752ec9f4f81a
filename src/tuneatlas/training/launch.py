"""Starting the processes of one training: torchrun, under srun where there are several nodes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tuneatlas.errors import TransientError, UserError
from tuneatlas.training.recipe import Recipe
from tuneatlas.training.trainer import RESUME, SIGNALS

# The launcher gives processes 30 s after SIGTERM, which is too little for a checkpoint of a
# large model: it is told to leave signals to them. They save their state and end by themselves.
UNHEEDED = {"TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGINT"}
# Several threads in each of several processes slow small models down many times over.
ONE_EACH = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def launch_command(work: Sequence[str], recipe: Recipe, environ: Mapping[str, str]) -> list[str]:
    """What starts ``work`` (a module and its arguments) in every process.

    Within a Slurm job there is a launcher on each node; they meet on the node this runs on,
    the job's first, at a port that follows from the job's number. Elsewhere all processes are
    on this machine.
    """
    launcher = [sys.executable, "-m", "torch.distributed.run"]
    job, nodes = environ.get("SLURM_JOB_ID"), recipe.nodes
    each = recipe.processes // nodes
    if 0 < torch.cuda.device_count() < each:
        raise UserError(
            f"processes: {recipe.processes} on {nodes} nodes need {each} GPUs each, and there are "
            f"{torch.cuda.device_count()} here: lower processes, or ask for more GPUs"
        )
    if nodes == 1 or job is None:
        alone = ["--standalone", f"--nproc-per-node={recipe.processes}"]
        return [*launcher, *alone, "-m", *work]
    step = [f"--jobid={job}", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    step += [f"--cpus-per-task={each}", "--kill-on-bad-exit=1", "--export=ALL"]
    meeting = [f"--nnodes={nodes}", f"--nproc-per-node={each}", f"--rdzv-id={job}"]
    port = 20000 + int(job) % 20000
    meeting += ["--rdzv-backend=c10d", f"--rdzv-endpoint={socket.gethostname()}:{port}"]
    return ["srun", *step, *launcher, *meeting, "-m", *work]


def run_shared(work: Sequence[str], recipe: Recipe, stop: Path, stopped: Path, full: Path) -> None:
    """Run ``work`` in every process. On a signal they are asked to save their state and end.

    The file ``stop`` asks them to, wherever they are. They write ``stopped`` when they end
    early: Slurm signals them itself, and may do so without signalling this process. They write
    ``full`` when a GPU's memory is too small.

    Raises:
        SystemExit: with code RESUME if they were stopped.
        torch.OutOfMemoryError: if a GPU's memory was too small.
        TransientError: if they failed otherwise.
    """
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    # Ignored signals stay ignored in the launchers; the processes that train set handlers.
    command = launch_command(work, recipe, os.environ)
    child = subprocess.Popen(command, env=os.environ | ONE_EACH | UNHEEDED)
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: stop.touch())
    try:
        code = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if code and stopped.exists():
        raise SystemExit(RESUME)
    if code and full.exists():
        raise torch.OutOfMemoryError("in one of the processes")
    if code:
        raise TransientError(
            f"training in {recipe.processes} processes ended with code {code}; the reason is "
            "above. Its checkpoints are kept: run again to resume"
        )


def deepspeed_config(recipe: Recipe, *, whole: bool) -> dict[str, Any] | None:
    """The recipe's DeepSpeed config; ``whole``: going on from a checkpoint put together."""
    if recipe.deepspeed is None:
        return None
    config: dict[str, Any] = json.loads(Path(recipe.deepspeed).read_text(encoding="utf-8"))
    return {**config, "checkpoint": {"load_universal": True}} if whole else config


def start_deepspeed() -> None:
    """Join DeepSpeed's process group; to be called before arguments and model are made."""
    import deepspeed

    if not torch.cuda.is_available():
        # Else it compiles a helper for a minute, and needs a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("nccl" if torch.cuda.is_available() else "gloo")

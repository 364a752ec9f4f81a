"""Going on in another number of processes from what DeepSpeed saved in parts, one a process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneatlas.engine.files import remove, sync, write_text
from tuneatlas.errors import UserError

WHOLE = "universal"


def parts_of(checkpoint: Path) -> int:
    """Processes that a DeepSpeed checkpoint was saved by; 0 if it is not in parts."""
    return len(list(checkpoint.glob("global_step*/*zero_pp_rank_*_optim_states.pt")))


def reshard(checkpoint: Path) -> None:
    """Put the parts of a checkpoint together, beside them, for any number of processes."""
    if (checkpoint / WHOLE).is_dir():
        return
    (parts,) = checkpoint.glob("global_step*")
    partial = checkpoint / f".partial-{WHOLE}"
    remove(partial)
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal"]
    command += ["--input_folder", str(parts), "--output_folder", str(partial)]
    command += ["--num_extract_workers=1", "--num_merge_workers=1", "--inject_missing_state"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"{checkpoint}: its parts cannot be put together for another number of processes: "
            f"{done.stderr.strip().splitlines()[-1]}; resume with processes: {parts_of(checkpoint)}"
        )
    sync(partial)
    remove(checkpoint / WHOLE)
    os.replace(partial, checkpoint / WHOLE)
    write_text(checkpoint / "latest_universal", WHOLE)


class Mended(TrainerCallback):
    """Undoes two faults of DeepSpeed 0.19.8 in what it loads from a checkpoint put together.

    With ZeRO-3, all parts of the weights share one step counter, which so advances several
    times a step; and every group of parameters gets the weight decay of the first.
    """

    def __init__(self, weight_decay: float) -> None:
        self.weight_decay = weight_decay

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Give each part its own counter, and each group its own weight decay."""
        inner = kwargs["optimizer"]
        while hasattr(inner, "optimizer"):
            inner = inner.optimizer
        for held in inner.state.values():
            if isinstance(held.get("step"), torch.Tensor):
                held["step"] = held["step"].clone()
        # The trainer makes two groups: the matrices, and what is not to decay.
        for group, decay in zip(inner.param_groups, (self.weight_decay, 0.0), strict=False):
            group["weight_decay"] = decay

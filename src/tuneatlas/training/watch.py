"""What is done between steps: checkpoints on a clock and on signals, and news of progress."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

log = logging.getLogger(__name__)


class Watch(TrainerCallback):
    """Saves on a clock, on signals and when the file ``stop`` appears, and logs progress.

    ``after_step`` is called in every process with the number of steps done, before any
    checkpoint of that step. Where it does not save (``saves``), a run that is stopped ends all the
    same.
    """

    def __init__(
        self,
        interval_s: float,
        steps: int,
        after_step: Callable[[int], None],
        stop: Path | None = None,
        *,
        saves: bool = True,
    ) -> None:
        self.interval_s, self.steps, self.after_step = interval_s, steps, after_step
        self.stop, self.saves = stop, saves
        self.saved = self.told = self.began = time.monotonic()
        self.first: int | None = None
        self.signalled = False

    def on_signal(self, number: int, frame: Any) -> None:
        """Remember that the run is to end after the current step."""
        self.signalled = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask for a checkpoint when the interval has passed or a signal came."""
        self.after_step(state.global_step)
        now = time.monotonic()
        done = state.global_step >= self.steps
        if self.first is None:
            self.first = state.global_step - 1
        asked = self.stop is not None and state.is_world_process_zero and self.stop.exists()
        stop, save = _agreed(
            args.device, self.signalled or asked, now - self.saved > self.interval_s
        )
        if stop and not done:
            control.should_save = control.should_training_stop = True
        elif save and not done:
            control.should_save = True
        control.should_save = control.should_save and self.saves
        if control.should_save:
            self.saved = now
        if now - self.told > 10:
            self.told = now
            rate = (now - self.began) / (state.global_step - self.first)
            # None is known yet after the first step.
            known = [
                f", loss {entry['loss']:.3f}" for entry in state.log_history if "loss" in entry
            ]
            left = rate * (self.steps - state.global_step)
            log.info(
                "step %d of %d%s, %.0f s left",
                state.global_step,
                self.steps,
                "".join(known[-1:]),
                left,
            )
        return control


def _agreed(device: torch.device, *wishes: bool) -> list[bool]:
    """Each wish, granted if any process has it.

    Signals and clocks reach processes at different steps; if one alone saved, all would hang.
    """
    if not torch.distributed.is_initialized():
        return list(wishes)
    found = torch.tensor(wishes, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return [bool(wish) for wish in found.tolist()]

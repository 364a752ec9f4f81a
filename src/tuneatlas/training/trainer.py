"""The one trainer: Hugging Face's, with planned packed batches, our loss and whole checkpoints."""

import logging
import math
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from tuneatlas.files import remove, sync
from tuneatlas.training.layouts import Layout, layout_of
from tuneatlas.training.packing import Row
from tuneatlas.training.tokens import TokenFile

log = logging.getLogger(__name__)

GO_ON = 75  # EX_TEMPFAIL: stopped by a signal, state saved, run the same command again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@dataclass(frozen=True)
class Recipe:
    """How to train; the config documents each field (section ``finetune``)."""

    epochs: int
    batch: int
    batch_unit: Literal["examples", "rows"]
    row_length: int
    isolate: bool
    rows_per_device: int
    learning_rate: float
    schedule: str
    warmup_ratio: float
    warmup_steps: int | None
    schedule_stretch: float
    weight_decay: float
    beta2: float
    max_grad_norm: float
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool
    checkpoint_minutes: float
    checkpoint_steps: int | None
    keep_checkpoints: int
    deepspeed: str | None
    processes: int


class PlannedBatches(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Item i is micro-batch ``i % count`` of step ``i // count``, read from the token file."""

    def __init__(
        self,
        tokens: TokenFile,
        steps: Sequence[list[Row]],
        count: int,
        pad: int,
        layout: Layout,
    ) -> None:
        self.tokens, self.steps, self.count, self.pad = tokens, steps, count, pad
        self.layout = layout

    def __len__(self) -> int:
        return len(self.steps) * self.count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        step, part = divmod(index, self.count)
        rows = list(self.layout.deal(self.steps[step], self.count))[part]
        arrays = self.layout.arrays(self.tokens, rows, self.pad)
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        # The trainer counts a step's labels in `shift_labels`, as ours are shifted already.
        return {**batch, "shift_labels": batch["labels"]}


def train_here(
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
    """Train ``model`` in place, in this process; return the loss of each planned step.

    ``after_step`` is called with the number of steps done, before any checkpoint of that step.

    Goes on from the newest whole checkpoint in ``checkpoints``, if there is one, and removes
    them all at the end. On SIGTERM or SIGUSR1 it saves a checkpoint at the end of the
    current step and exits with code GO_ON.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    most = max(len(rows) for rows in steps)
    per_step = -(-most // (recipe.rows_per_device * ranks))
    layout = layout_of(model, recipe.isolate)
    layout.supervise(model)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=len(steps),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=per_step,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        # Hugging Face's option: below 1 a share of the schedule's steps, else their number.
        warmup_steps=recipe.warmup_steps or recipe.warmup_ratio,
        weight_decay=recipe.weight_decay,
        adam_beta2=recipe.beta2,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.precision == "bf16",
        activation_checkpointing=recipe.gradient_checkpointing,
        deepspeed=recipe.deepspeed,
        save_strategy="steps" if recipe.checkpoint_steps else "no",
        save_steps=recipe.checkpoint_steps or 500,
        logging_steps=1,
        logging_strategy="steps",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if ranks > 1 and not torch.cuda.is_available() else None,
        seed=seed % 2**32,
        dataloader_pin_memory=torch.cuda.is_available(),
        log_level="error",
    )
    watch = Watch(recipe.checkpoint_minutes * 60, len(steps), after_step)
    trainer = PackedTrainer(
        PlannedBatches(tokens, steps, per_step * ranks, pad, layout),
        model=model,
        args=arguments,
        data_collator=_only,
        callbacks=[watch],
        keep=recipe.keep_checkpoints,
        stretch=recipe.schedule_stretch,
    )
    trainer.pop_callback(_printer())
    newest = newest_checkpoint(checkpoints)
    if newest:
        log.info("going on from %s", newest)
    previous = {number: signal.signal(number, watch.on_signal) for number in SIGNALS}
    try:
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if trainer.state.global_step < len(steps):
        log.warning("stopped by a signal after step %d; state is saved", trainer.state.global_step)
        raise SystemExit(GO_ON)
    del model.forward  # the class's own forward again
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the latest step in ``folder``; only whole ones bear that name."""
    found = sorted(folder.glob("checkpoint-*"), key=_step_of)
    return found[-1] if found else None


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("checkpoint-"))


def _only(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The one planned micro-batch of a batch."""
    (item,) = items
    return item


def _printer() -> type[TrainerCallback]:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback


class PackedTrainer(Trainer):
    """Hugging Face's trainer over planned batches in order, with atomic checkpoints."""

    def __init__(
        self, planned: PlannedBatches, *, keep: int, stretch: float, **kwargs: Any
    ) -> None:
        super().__init__(train_dataset=planned, **kwargs)
        self.planned, self.keep, self.stretch = planned, keep, stretch

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule of a run of ``stretch`` times as many steps."""
        return super().create_scheduler(math.ceil(num_training_steps * self.stretch), optimizer)

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        # The plan is shuffled already.
        return torch.utils.data.SequentialSampler(self.planned)

    def _get_output_dir(self, trial: Any) -> str:
        # Where the base class writes a checkpoint: beside the whole ones, until it is whole.
        return str(Path(str(self.args.output_dir)) / ".partial")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(str(self.args.output_dir))
        partial = folder / ".partial"
        if self.args.should_save:
            remove(partial)
        super()._save_checkpoint(model, trial)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if self.args.should_save:
            name = f"checkpoint-{self.state.global_step}"
            sync(partial / name)
            remove(folder / name)
            os.replace(partial / name, folder / name)
            for old in sorted(folder.glob("checkpoint-*"), key=_step_of)[: -self.keep]:
                shutil.rmtree(old)
            log.info("checkpoint at step %d", self.state.global_step)


class Watch(TrainerCallback):
    """Saves on a clock and on signals, and logs progress."""

    def __init__(
        self, interval_s: float, steps: int, after_step: Callable[[int], None] | None = None
    ) -> None:
        self.interval_s, self.steps, self.after_step = interval_s, steps, after_step
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
        if self.after_step is not None and state.is_world_process_zero:
            self.after_step(state.global_step)
        now = time.monotonic()
        done = state.global_step >= self.steps
        if self.first is None:
            self.first = state.global_step - 1
        if self.signalled and not done:
            control.should_save = control.should_training_stop = True
        elif now - self.saved > self.interval_s and not done:
            control.should_save = True
        if control.should_save:
            self.saved = now
        if now - self.told > 10:
            self.told = now
            rate = (now - self.began) / (state.global_step - self.first)
            last = state.log_history[-1].get("loss", float("nan")) if state.log_history else 0.0
            left = rate * (self.steps - state.global_step)
            log.info(
                "step %d of %d, loss %.3f, %.0f s left", state.global_step, self.steps, last, left
            )
        return control

"""The one trainer: Hugging Face's, with planned packed batches, our loss and whole checkpoints."""

import logging
import os
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.trainer_callback import PrinterCallback

from tuneatlas.engine.files import PARTIAL, atomic, remove, sync
from tuneatlas.models.load import embedding_rows, pad_id
from tuneatlas.models.save import save_model
from tuneatlas.training.finite import refuse_step, refuse_weights
from tuneatlas.training.layouts import Layout, layout_of
from tuneatlas.training.packing import Row
from tuneatlas.training.recipe import Recipe, Run
from tuneatlas.training.watch import Watch

log = logging.getLogger(__name__)

RESUME = 75  # EX_TEMPFAIL: stopped by a signal, state saved, run the same command again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class PlannedBatches(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Item i is micro-batch ``i % count`` of step ``i // count``, read from the token file."""

    def __init__(self, run: Run, count: int, layout: Layout, rows: int) -> None:
        self.tokens, self.steps, self.count = run.tokens, run.steps, count
        self.pad, self.layout = pad_id(run.tokenizer, rows), layout

    def __len__(self) -> int:
        return len(self.steps) * self.count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        step, part = divmod(index, self.count)
        rows = list(self.layout.deal(self.steps[step], self.count))[part]
        arrays = self.layout.arrays(self.tokens, rows, self.pad)
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        # The trainer counts a step's labels in `shift_labels`, as ours are shifted already.
        return {**batch, "shift_labels": batch["labels"]}


def training_arguments(run: Run, deepspeed: dict[str, Any] | None = None) -> TrainingArguments:
    """The recipe as the trainer takes it. With DeepSpeed, make them before the model."""
    recipe = run.recipe
    arguments = TrainingArguments(
        output_dir=str(run.states),
        max_steps=run.length,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=micro_steps(recipe, run.steps),
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        adam_beta2=recipe.beta2,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.precision == "bf16",
        activation_checkpointing=recipe.gradient_checkpointing,
        deepspeed=deepspeed,
        save_strategy="steps" if recipe.checkpoint_steps else "no",
        save_steps=recipe.checkpoint_steps or 500,
        logging_steps=1,
        logging_strategy="steps",
        # Else a loss that is no number is logged as the mean of others, or as 0.
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if ranks() > 1 and not torch.cuda.is_available() else None,
        seed=run.seed % 2**32,
        dataloader_pin_memory=torch.cuda.is_available(),
        log_level="error",
    )
    # A process that sees several GPUs would deal each batch out to all of them, and the sums of
    # their losses would be averaged.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def ranks() -> int:
    """Processes that share this training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def micro_steps(recipe: Recipe, steps: Sequence[list[Row]]) -> int:
    """Forward passes of each process per optimizer step."""
    most = max(len(rows) for rows in steps)
    return -(-most // (recipe.rows_per_device * ranks()))


def train_here(
    model: PreTrainedModel,
    run: Run,
    *,
    arguments: TrainingArguments | None = None,
    trained: Path | None = None,
    stop: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train ``model`` in place, in this process; return the loss of each planned step.

    ``trained`` is for the model at the end, whole even where each process holds a part of it.

    Goes on from the newest whole checkpoint in ``run.states``, if there is one. On SIGTERM or
    SIGUSR1, or when the file ``stop`` appears, it saves a checkpoint at the end of the current
    step and exits with code RESUME.
    """
    recipe, count = run.recipe, run.length
    adapters = None
    if recipe.lora_rank:
        # Only here: the library takes a second to import.
        from tuneatlas.training.lora import Adapters

        adapters = Adapters(model, recipe.lora_rank, recipe, run.seed)
    layout, rows = layout_of(model, recipe.isolate), embedding_rows(model)
    layout.supervise(model)
    if recipe.compile and torch.cuda.is_available():
        compile_blocks(model)

    def keep(done: int) -> None:
        if done in run.kept:
            trainer.write_model(run.kept[done], run)
            log.info("kept the model after step %d", done)

    saves = recipe.keep_checkpoints > 0
    watch = Watch(recipe.checkpoint_minutes * 60, count, keep, stop, saves=saves)
    trainer = PackedTrainer(
        PlannedBatches(run, micro_steps(recipe, run.steps) * ranks(), layout, rows),
        model=model,
        args=arguments or training_arguments(run),
        data_collator=_only,
        callbacks=[watch, *callbacks],
        run=run,
        merged=adapters.merged if adapters else None,
    )
    trainer.pop_callback(PrinterCallback)
    newest = newest_checkpoint(run.states)
    if newest:
        log.info("going on from %s", newest)
    previous = {number: signal.signal(number, watch.on_signal) for number in SIGNALS}
    try:
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if trainer.state.global_step < count:
        log.warning(
            "stopped by a signal after step %d; %s",
            trainer.state.global_step,
            "state is saved" if saves else "no state is kept: it begins anew",
        )
        raise SystemExit(RESUME)
    if trained is not None:
        trainer.write_model([trained], run)
    del model.forward  # the class's own forward again
    if adapters:
        adapters.merge()
    refuse_weights(run, count, model.named_parameters())
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def compile_blocks(model: PreTrainedModel) -> None:
    """Compile each block of the network in place, for rows of any length.

    The blocks are the modules that transformers recomputes one by one; equal ones share what is
    compiled.
    """
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.compile(dynamic=True)


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


class PackedTrainer(Trainer):
    """Hugging Face's trainer over planned batches in order, with atomic checkpoints."""

    def __init__(
        self,
        planned: PlannedBatches,
        *,
        run: Run,
        merged: Callable[[], dict[str, torch.Tensor]] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(train_dataset=planned, **kwargs)
        self.planned, self.run, self.merged = planned, run, merged

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule of the plan, wherever the run ends."""
        if self.lr_scheduler is None:
            chosen: Any = optimizer or self.optimizer
            self.lr_scheduler = LambdaLR(chosen, lambda update: self.run.rate_share(update))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_learning_rate(self) -> float:
        # That of the update just made: DeepSpeed's own schedule is one step on by now.
        return self.run.rate(self.state.global_step)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        # The last thing before the update.
        norm: Any = super()._get_grad_norm(model, grad_norm)  # type: ignore[no-untyped-call]
        known = None if norm is None else float(norm)
        refuse_step(self.run, self.state.global_step + 1, float(self._tr_loss), known)
        return norm

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        # The plan is shuffled already.
        return torch.utils.data.SequentialSampler(self.planned)

    def _get_output_dir(self, trial: Any) -> str:
        # Where the base class writes a checkpoint: beside the whole ones, until it is whole.
        return str(self._partial())

    def _partial(self) -> Path:
        """Of all processes of this run, and of no other run that may still be alive."""
        run = os.environ.get("TORCHELASTIC_RUN_ID") or f"{socket.gethostname()}.{os.getpid()}"
        return Path(str(self.args.output_dir)) / f"{PARTIAL}{run}"

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(str(self.args.output_dir))
        partial = self._partial()
        if self.args.should_save:
            for left in folder.glob(f"{PARTIAL}*"):
                remove(left)
        super()._save_checkpoint(model, trial)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if self.args.should_save:
            name = f"checkpoint-{self.state.global_step}"
            sync(partial / name)
            remove(folder / name)
            os.replace(partial / name, folder / name)
            for old in sorted(folder.glob("checkpoint-*"), key=_step_of)[
                : -self.run.recipe.keep_checkpoints
            ]:
                shutil.rmtree(old)
            log.info("checkpoint at step %d", self.state.global_step)

    def write_model(self, folders: Sequence[Path], run: Run) -> None:
        """Write the model, whole, to each folder; every process must call this."""
        weights = self.merged() if self.merged else None
        if self.is_deepspeed_enabled:
            # Only here: without DeepSpeed there is no need of it.
            from tuneatlas.training.masters import whole_weights

            weights = whole_weights(self.model, keep=self.args.should_save)
        if self.args.should_save:
            network: Any = self.model
            found = network.state_dict() if weights is None else weights
            refuse_weights(self.run, self.state.global_step, found.items())
            if weights is not None:
                # Tied weights are one tensor in a plain folder.
                for name in network.all_tied_weights_keys:
                    weights.pop(name, None)
            for folder in folders:
                with atomic(folder) as partial:
                    save_model(partial, network, run.tokenizer, weights, run.beside)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()

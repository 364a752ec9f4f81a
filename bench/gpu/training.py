"""Training as the steps do it, beside a bare loop: tokens a second, share of the roof, memory."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

import tuneatlas.training.loss as loss
from bench.gpu.roofs import half_peak
from bench.gpu.work import DEVICE, Work, documents, network, wait
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.shapes import Shape
from tuneatlas.sizing.estimates import GIB, training_memory, zero_of
from tuneatlas.training.attention import use_kernel
from tuneatlas.training.packing import collate, micro_batches
from tuneatlas.training.processes import train
from tuneatlas.training.recipe import Run, plan_run
from tuneatlas.training.trainer import micro_steps, train_here

# The first steps allocate and compile.
WARM = 2
DEEPSPEED = Path("config/deepspeed")


def smallest(work: Work) -> list[dict[str, Any]]:
    """135M: nothing recomputed; a network this small is held up by the launches of its kernels."""
    sizes: dict[str, Any] = {"batch": 512, "recompute": False, "steps": 4}
    return [
        *_several(work, "135M", rows=8, **sizes),
        trained(work, "135M", rows=32, **sizes),
        trained(work, "135M", rows=32, compiled=True, **sizes),
    ]


def middle(work: Work) -> list[dict[str, Any]]:
    """1.1B: activations recomputed, as a step does it by default."""
    sizes: dict[str, Any] = {"batch": 512, "recompute": True, "steps": 4}
    return [
        *_several(work, "1B", rows=4, **sizes),
        trained(work, "1B", rows=16, **sizes),
        trained(work, "1B", rows=16, compiled=True, **sizes),
    ]


def largest(work: Work) -> list[dict[str, Any]]:
    """6.7B: weights, gradients and moments of AdamW are 100 GiB in single precision."""
    if DEVICE == "cuda" and torch.cuda.get_device_properties(0).total_memory < 120 * GIB:
        return [{"left_out": "one card of 120 GiB is needed; several share it under ZeRO-3"}]
    return [trained(work, "7B", batch=128, rows=4, recompute=True, steps=4)]


def with_deepspeed(work: Work) -> list[dict[str, Any]]:
    """1.1B through the workflow's launcher under ZeRO-2 and ZeRO-3, all on one card."""
    return [
        trained(work, "1B", batch=512, rows=4, recompute=True, steps=4, zero=DEEPSPEED / name)
        for name in ("zero2.json", "zero3.json")
    ]


def _several(work: Work, shape: str, **sizes: Any) -> list[dict[str, Any]]:
    found = [trained(work, shape, **sizes), trained(work, shape, dense=True, **sizes)]
    return [*found, _bare(work, shape, **sizes)]


def _plan(
    work: Work,
    folder: Path,
    batch: int,
    rows: int,
    recompute: bool,
    steps: int,
    zero: Path | None = None,
    compiled: bool = False,
) -> tuple[Run, dict[str, Any]]:
    count = batch if DEVICE == "cuda" else 4
    options = TrainingConfig(
        epochs=1,
        batch=count,
        row_length=work.row,
        rows_per_device=rows,
        learning_rate=1e-6,
        schedule="constant",
        warmup_ratio=0.0,
        precision="bf16" if DEVICE == "cuda" else "fp32",
        gradient_checkpointing=recompute,
        checkpoint_minutes=600.0,
        deepspeed=zero and str(zero),
        compile=compiled and DEVICE == "cuda",
    ).model_dump()
    examples = documents(work, count * (steps + WARM))
    tokenizer = train_tokenizer(["a b"], 300)
    return plan_run(folder, examples, options, "cut", tokenizer, seed=0), options


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait for the device, and look at the clock."""
        wait()
        self.ends.append(time.perf_counter())


def trained(
    work: Work,
    shape: str,
    *,
    batch: int,
    rows: int,
    recompute: bool,
    steps: int,
    dense: bool = False,
    compiled: bool = False,
    zero: Path | None = None,
) -> dict[str, Any]:
    """The product's trainer; ``dense``: with the mask that transformers makes."""
    chosen: Callable[..., bool] = (lambda *_: False) if dense else use_kernel
    loss.use_kernel = chosen  # type: ignore[assignment]
    model = network(work, shape, torch.float32, "cpu" if zero else DEVICE).train()
    name = "dense mask" if dense else f"DeepSpeed, {zero.stem}" if zero else "by document"
    name += ", compiled" if compiled else ""
    with tempfile.TemporaryDirectory() as folder:
        run, options = _plan(work, Path(folder), batch, rows, recompute, steps, zero, compiled)
        if DEVICE == "cuda":
            torch.cuda.reset_peak_memory_stats()
        if zero:
            begun = time.perf_counter()
            train(model, run)
            # Start and end of the processes are in it: what a job of so many steps takes.
            spent, tokens = time.perf_counter() - begun, _tokens(run, 0)
        else:
            clock = Clock()
            train_here(model, run, callbacks=[clock])
            spent, tokens = clock.ends[-1] - clock.ends[WARM - 1], _tokens(run, WARM)
    return {"how": name, "rows": rows, **_figures(work, shape, model, options, spent, tokens, zero)}


def _bare(
    work: Work, shape: str, *, batch: int, rows: int, recompute: bool, steps: int
) -> dict[str, Any]:
    """The same rows in a plain loop with weights in 16 bits and fused AdamW: the roof of ours."""
    loss.use_kernel = use_kernel
    half = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    model = network(work, shape, half).train()
    if recompute:
        model.activation_checkpointing_enable()
    loss.supervise(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=DEVICE == "cuda")
    with tempfile.TemporaryDirectory() as folder:
        run, options = _plan(work, Path(folder), batch, rows, recompute, steps)
        count = micro_steps(run.recipe, run.steps)
        begun = 0.0
        for number, step in enumerate(run.steps):
            if number == WARM:
                wait()
                begun = time.perf_counter()
            for part in micro_batches(step, count):
                arrays = collate(run.tokens, part, pad=0)
                batch_ = {k: torch.from_numpy(v).to(DEVICE) for k, v in arrays.items()}
                model(**batch_, num_items_in_batch=batch * 55)["loss"].backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        wait()
        spent = time.perf_counter() - begun
        tokens = _tokens(run, WARM)
    figures = _figures(work, shape, model, options, spent, tokens, None)
    return {"how": "plain loop, 16-bit weights", "rows": rows, **figures}


def _tokens(run: Run, since: int) -> int:
    return sum(piece.length for rows in run.steps[since:] for row in rows for piece in row)


def _figures(
    work: Work,
    shape: str,
    model: Any,
    options: dict[str, Any],
    spent: float,
    tokens: int,
    zero: Path | None,
) -> dict[str, Any]:
    """Rate, share of the matrix unit's roof by 6 FLOP a parameter and token, memory in GiB."""
    parameters = model.num_parameters()
    peak = half_peak(work.matrix, work.rounds)
    width, _, layers, _, _ = work.shapes[shape]
    planned = training_memory(
        Shape(parameters, layers, width, work.vocabulary),
        options,
        work.row,
        zero_of(zero) if zero else None,
    )
    found = {
        "shape": shape,
        "parameters": parameters,
        "tokens": tokens,
        "tokens_s": tokens / spent,
        "mfu": 6 * parameters * tokens / spent / peak,
        "planned_gib": planned,
    }
    if DEVICE == "cuda" and not zero:
        found["peak_gib"] = torch.cuda.max_memory_allocated() / GIB
    return found

"""What comparisons of our losses with TRL's share: see ``preferences`` and ``rewards``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneatlas.config.models.knowledge import Finetune

STEPS, TOLERANCE = 20, 1e-4


def recipe(*, batch: int, rows_per_device: int, learning_rate: float) -> dict[str, Any]:
    """Options of section ``finetune`` for a few steps of a tiny model."""
    return Finetune(
        epochs=1,
        batch=batch,
        row_length=128,
        rows_per_device=rows_per_device,
        learning_rate=learning_rate,
        schedule="constant",
        warmup_ratio=0.0,
        precision="fp32",
        gradient_checkpointing=False,
        keep_checkpoints=0,
    ).model_dump()


def told(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same, and to do nothing else, as TRL's configs have it."""
    return {
        "output_dir": str(folder),
        "max_steps": STEPS,
        "learning_rate": options["learning_rate"],
        "lr_scheduler_type": "constant",
        "adam_beta2": options["beta2"],
        "max_grad_norm": options["max_grad_norm"],
        "logging_steps": 1,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


def losses(trainer: Any) -> list[float]:
    """Of each step of a trainer of TRL's that has trained."""
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def compare(ours: Sequence[float], theirs: Sequence[float], unit: str) -> int:
    """Print both losses of each step, or whatever it is called; 1 if they are apart."""
    pairs = list(zip(ours, theirs, strict=True))
    for number, (one, other) in enumerate(pairs, start=1):
        print(f"{unit} {number:2}: ours {one:.6f}, TRL {other:.6f}")
    apart = max(abs(one - other) for one, other in pairs)
    print(f"{len(pairs)} {unit}s, at most {apart:.2g} apart")
    return int(len(pairs) != STEPS or apart > TOLERANCE)

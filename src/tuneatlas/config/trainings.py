"""All training sections of an experiment, and what DeepSpeed configs they may name."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.config.models.training import TrainingConfig
from tuneatlas.config.source import Key

BATCHES = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")


def trainings(experiment: Experiment) -> dict[Key, TrainingConfig]:
    """Every section that says how to train, by its key."""
    found: dict[Key, TrainingConfig] = {
        (name,): value for name, value in experiment if isinstance(value, TrainingConfig)
    }
    return found | {
        ("models", name, "training"): model.training
        for name, model in experiment.models.items()
        if isinstance(model, ScratchModel)
    }


def deepspeed_problems(path: Path, training: TrainingConfig) -> Iterator[str]:
    """What keeps a DeepSpeed config from being used for ``training``; nothing if all is well."""
    if not path.is_file():
        yield f"there is no file {path}"
        return
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        yield f"{path} is not JSON: {error}"
        return
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
        return
    if not isinstance(data, dict) or not isinstance(data.get("zero_optimization", {}), dict):
        yield f"{path} is no DeepSpeed config: an object with zero_optimization is expected"
        return
    if not isinstance(data.get("bf16", {}), dict):
        yield f"{path}: bf16 must be an object, with enabled: auto"
        return
    for text in _objections(data, training):
        yield f"{path}: {text}"


def _objections(data: Mapping[str, Any], training: TrainingConfig) -> Iterator[str]:
    zero = data.get("zero_optimization", {})
    stage = zero.get("stage", 0)
    if isinstance(stage, bool) or stage not in (0, 1, 2, 3):
        yield f"zero_optimization.stage is {stage!r}; there are 0, 1, 2 and 3"
        return
    for part in ("optimizer", "scheduler"):
        if part in data:
            yield f"leave out {part}: learning_rate, schedule and the like say it"
    if "fp16" in data:
        yield "leave out fp16: precision is fp32 or bf16"
    if data.get("bf16", {}).get("enabled", "auto") != "auto":
        yield 'bf16.enabled must be "auto": precision says it'
    for name in BATCHES:
        if data.get(name, "auto") != "auto":
            yield f'{name} must be "auto": it follows from batch, rows_per_device and processes'
    if training.lora_rank is not None:
        yield "adapters (lora_rank) are trained without DeepSpeed: leave one of them out"
    if stage == 0 and training.precision == "bf16":
        yield "ZeRO 0 keeps no weights in single precision, so bf16 drifts: use stage 1 or more"
    if "offload_param" in zero and stage != 3:
        yield f"offload_param needs stage 3, not {stage}"
    if "offload_optimizer" in zero:
        if stage == 0:
            yield "offload_optimizer needs stage 1, 2 or 3"
        if data.get("zero_force_ds_cpu_optimizer", True):
            yield "offload_optimizer needs zero_force_ds_cpu_optimizer: false, as torch has AdamW"
    if stage == 3 and not zero.get("stage3_gather_16bit_weights_on_model_save"):
        yield "stage 3 needs stage3_gather_16bit_weights_on_model_save: true to write whole models"

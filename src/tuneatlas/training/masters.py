"""The weights that DeepSpeed trains: those in single precision, of which the model has a rounding.

With bf16 the model that it runs holds each weight in 8 bits of precision, in which most updates at
a small rate are nothing. So does the one that it would write, and the one that it begins from.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def whole_weights(network: Any, *, keep: bool) -> dict[str, torch.Tensor] | None:
    """The weights of a network in DeepSpeed's hands, whole, as they are trained.

    All processes must call this; only those that are to ``keep`` them get them, others None.
    """
    from deepspeed.utils import safe_get_full_fp32_param

    found = {}
    for name, parameter in network.named_parameters():
        trained = safe_get_full_fp32_param(parameter)
        if keep:
            found[name] = (parameter if trained is None else trained).detach().cpu()
    if not keep:
        return None
    shared = dict(network.named_parameters(remove_duplicate=False))
    state = network.state_dict(keep_vars=True)
    buffers = {name: value.detach().cpu() for name, value in state.items() if name not in shared}
    return found | buffers


class Unrounded(TrainerCallback):
    """Lets a training begin at the very weights of a folder, not at their rounding."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set them, unless the run goes on from a checkpoint, which has its own."""
        from deepspeed.utils import safe_get_full_fp32_param, safe_set_full_fp32_param

        if state.global_step:
            return
        files: dict[str, Path] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                files |= dict.fromkeys(file.keys(), path)
        for name, parameter in kwargs["model"].named_parameters():
            trained = safe_get_full_fp32_param(parameter)
            if trained is not None:
                with safe_open(files[name], framework="pt") as file:
                    exact = file.get_tensor(name)
                safe_set_full_fp32_param(parameter, exact.to(trained.device, trained.dtype))

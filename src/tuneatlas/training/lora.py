"""Low-rank adapters (Hu et al. 2022): few weights are trained, plain models are written."""

import torch
from peft import LoraConfig
from peft.tuners.lora import Linear, LoraLayer, LoraModel
from transformers import PreTrainedModel

from tuneatlas.errors import UserError
from tuneatlas.training.recipe import Recipe

ADAPTER = "default"


class Adapters:
    """Adapters on every linear layer of ``model`` but its head; all else is frozen."""

    def __init__(self, model: PreTrainedModel, rank: int, recipe: Recipe, seed: int) -> None:
        """Put them into ``model`` itself; they change nothing before they are trained."""
        torch.manual_seed(seed % 2**32)
        options = LoraConfig(
            r=rank,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules="all-linear",
        )
        self.model = model
        try:
            self.tuner = LoraModel(model, options, ADAPTER)
        except ValueError as error:
            raise UserError(f"lora_rank: {_instead(model)} ({error})") from error
        if any(isinstance(m, LoraLayer) and not isinstance(m, Linear) for m in model.modules()):
            # They would be trained, and be missing in the models that are written.
            raise UserError(f"lora_rank: {_instead(model)}")

    def merged(self) -> dict[str, torch.Tensor]:
        """The weights of the plain model: its own plus what the adapters add."""
        weights = {
            name.replace(".base_layer.", "."): value
            for name, value in self.model.state_dict().items()
            if ".lora_" not in name
        }
        for name, layer in self.model.named_modules():
            if isinstance(layer, Linear):
                weights[f"{name}.weight"] = layer.weight + layer.get_delta_weight(ADAPTER)
        return {name: value.detach() for name, value in weights.items()}

    def merge(self) -> None:
        """Make the model plain again, its weights as in `merged`."""
        self.tuner.merge_and_unload()
        self.model.requires_grad_(True)


def _instead(model: PreTrainedModel) -> str:
    return (
        f"a {model.config.model_type} model holds its experts in tensors that are no linear "
        "layers, of which no adapters are made here; say null, or take another model"
    )

"""The model that a step of the syntax study starts from, whether it trains it or asks it.

Apart from what trains, so that a step that generates imports no trainer.
"""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.models.load import load_model


def open_model(step: Step, place: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer that a step starts from; ``place``: on the accelerator."""
    torch.set_num_threads(step.threads)
    return load_model(step.path("model"), place=place)

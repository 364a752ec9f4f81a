"""Tune a base model on one training set of conversations."""

from dataclasses import replace
from typing import Any

import torch

from tuneatlas.engine.step import Step
from tuneatlas.models.load import load_model
from tuneatlas.training.conversations import chat_beside, plan_conversations
from tuneatlas.training.runs import train_and_save


def finetune(step: Step, *, bos: bool) -> dict[str, Any]:
    """Tune a base model on the assistant's tokens of conversations; write a plain folder.

    Options are the config section ``finetune``. Returns figures for the step's record.
    """
    torch.set_num_threads(1)
    model, tokenizer = load_model(step.path("model"), place=False)
    run = plan_conversations(step, tokenizer, bos, step.seed)
    return train_and_save(step, model, replace(run, beside=chat_beside(step, tokenizer, bos)))

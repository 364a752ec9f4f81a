"""Checkpoints tuned elsewhere, each with its base among the models."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import (
    REQUIRED,
    Count,
    FilePath,
    Name,
    PathOfSteps,
    Section,
    Text,
    option,
)
from tuneatlas.config.models.language_models import OnHub


class _Checkpoint(Section):
    base: Name = option(REQUIRED, "the model that it was tuned from: a name under models")
    chat_template: Text | None = option(
        None,
        "how it is asked in its chat format: a file of config/templates/chat, such as own for the "
        "template of its tokenizer; null: as evaluate_knowledge.chat_template says",
    )
    bos: bool | None = option(
        None,
        "its prompts in the chat format begin with the begin token; null: as those of its base",
    )
    trained_on: FilePath | None = option(
        None,
        "its training file (.jsonl, .json, .parquet, or lines of text), or a folder of such: "
        "questions asked that occur in it are counted and told",
    )
    domain: Name | None = option(
        None,
        "the domain that it was tuned on, if it is one of domains: for the atlas its questions are "
        "at home; null: all questions are elsewhere",
    )
    restore: bool | None = option(
        None,
        "restored, to see what comes back (restore_stages); false: only asked; null: where there "
        "is a text to do it with (prepare_restoration), or its base was made here",
    )
    seed: Count | None = option(None, "seed of its tuning, if that is known: it is told")
    tags: tuple[Text, ...] = option((), "words of yours that are told beside its name")


class HubCheckpoint(OnHub, _Checkpoint):
    """A tuned model or adapter on the Hugging Face hub."""


class PathCheckpoint(_Checkpoint):
    """A folder of this machine: a tuned model, or a LoRA or DoRA adapter; it is only read."""

    source: Literal["path"] = option(REQUIRED, "a local Hugging Face folder")
    path: PathOfSteps = option(
        REQUIRED,
        "folder with config.json and *.safetensors, or with adapter_config.json; with steps, "
        "{step} in it stands for each of them",
    )
    steps: tuple[Count, ...] = option(
        (), "steps of the tuning at which it was kept, rising; none: it is one model", unit="steps"
    )


CheckpointConfig = Annotated[HubCheckpoint | PathCheckpoint, Field(discriminator="source")]

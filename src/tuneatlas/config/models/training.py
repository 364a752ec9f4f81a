"""Training options: one class for pre-training and tuning, because there is one trainer."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import S1, Count, FilePath, Positive, Section, option

IFT = f"{S1}, training details"

Rate = Annotated[float, Field(gt=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Amount = Annotated[float, Field(ge=0)]
Minutes = Annotated[float, Field(gt=0)]
Stretch = Annotated[float, Field(ge=1)]

BATCH = "rows or examples per optimizer step, over all devices"
UNIT = "what batch counts: examples, or rows of row_length tokens"
ROW = "length of a row; short examples share one, unseen by each other"
Keep = Literal["weights", "until measured", "never"]
KEEP = (
    "how long the tuned weights stay: weights: for ever; until measured: until everything in the "
    "experiment that reads them stands; never: until all that a run asks of them stands, though "
    "another study may read them later. What went is made again where it is read again"
)
CHECKPOINTING = "recompute activations in the backward pass: less memory, more time"


class Storage(Section):
    """What a run may hold of weights and training states."""

    at_most_gb: Positive | None = option(
        None,
        "GB that models and training states may take at any time: a tuning whose weights are let "
        "go (keep) waits until there is room for all that is made of it; null: no limit",
        unit="GB",
    )


class TrainingConfig(Section):
    """How a model is trained. The defaults are those of the paper's fine-tuning."""

    epochs: Positive = option(3, "passes over the training set", unit="passes", source=IFT)
    batch: Positive = option(256, BATCH, source=IFT)
    batch_unit: Literal["examples", "rows"] = option("examples", UNIT, source=IFT)
    remainder: Literal["step", "carry"] = option(
        "step",
        "the examples left at the end of an epoch, less than a batch: step: a smaller step; carry: "
        "they join the first step of the next epoch, and those of the last are left out, as the "
        "authors' trainer does (inferred)",
        source=IFT,
    )
    row_length: Positive = option(
        2048,
        f"{ROW}; longer ones are cut, and what is lost is told",
        unit="tokens",
        source=f"{IFT}: maximum length",
    )
    isolate: bool = option(
        True, "examples that share a row do not see each other; false: a row is one running text"
    )
    rows_per_device: Positive = option(
        1, "rows per device and forward pass; the rest of the batch is accumulated", unit="rows"
    )
    learning_rate: Rate = option(2e-5, "peak learning rate", source=f"{IFT}; 1e-5 for Mistral")
    schedule: Literal["cosine", "linear", "constant"] = option(
        "cosine", "course of the learning rate after warm-up", source=IFT
    )
    warmup_ratio: Decay = option(
        0.03,
        "share of the steps in which the rate rises to its peak, none of them at 0",
        unit="1",
        source=IFT,
    )
    warmup_steps: Positive | None = option(
        None, "the same as a number of steps; null: by warmup_ratio", unit="steps"
    )
    schedule_stretch: Stretch = option(
        1.0, "the schedule is laid out for this many times the steps of the run", unit="1"
    )
    weight_decay: Amount = option(0.0, "decoupled weight decay (AdamW)", source=IFT)
    beta2: Decay = option(0.999, "decay of the mean of squared gradients (AdamW)", unit="1")
    max_grad_norm: Amount = option(1.0, "gradients are scaled to at most this L2 norm; 0: never")
    precision: Literal["fp32", "bf16"] = option("bf16", "number format of training", source=IFT)
    gradient_checkpointing: bool = option(True, CHECKPOINTING, source=IFT)
    compile: bool = option(
        False,
        "on a GPU, compile the blocks of the network: slow first steps, then a third less time a "
        "step at a billion parameters (docs/benchmarks.md); on a processor it does nothing",
    )
    lora_rank: Positive | None = option(
        None,
        "train low-rank adapters of this rank on every linear layer, and merge them at the end; "
        "null: all weights",
    )
    lora_alpha: Positive = option(32, "what adapters add is scaled by this over their rank")
    lora_dropout: Decay = option(0.05, "dropout before adapters", unit="1")
    processes: Positive = option(
        1,
        "processes that share the work, one per device (or per core), on all nodes together",
        unit="processes",
    )
    nodes: Positive = option(
        1, "nodes of a Slurm cluster that the processes are spread over evenly", unit="nodes"
    )
    checkpoint_minutes: Minutes = option(10.0, "time between checkpoints", unit="min")
    checkpoint_steps: Positive | None = option(
        None, "steps between checkpoints; null: by time alone", unit="steps"
    )
    keep_checkpoints: Count = option(
        2,
        "newest checkpoints kept while training; 0: none is written, for runs of minutes: one that "
        "is stopped begins anew",
        unit="count",
    )
    deepspeed: FilePath | None = option(
        None,
        "DeepSpeed config (JSON), such as those of config/deepspeed; null: without DeepSpeed",
        source=f"{S1}: ZeRO-3 for the 70B model",
    )


class InstructionTuning(TrainingConfig):
    """The same options, and those of conversations alone."""

    keep: Keep = option("weights", KEEP)
    bos: bool | None = option(
        None,
        "conversations begin with the begin token; null: as models.NAME.bos says",
        source=f"{IFT}: none",
    )


class PretrainingConfig(TrainingConfig):
    """The same options, with defaults for a small model trained from random weights."""

    epochs: Positive = option(1, "passes over the training set", unit="passes")
    batch: Positive = option(16, BATCH)
    batch_unit: Literal["examples", "rows"] = option("rows", UNIT)
    isolate: bool = option(
        False, "as in fine-tuning; false, as in most pre-training: a row is one running text"
    )
    row_length: Positive = option(256, f"{ROW}; longer ones are split", unit="tokens")
    rows_per_device: Positive = option(
        8, "rows per device and forward pass; the rest of the batch is accumulated", unit="rows"
    )
    learning_rate: Rate = option(3e-3, "peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = option(
        "cosine", "course of the learning rate after warm-up"
    )
    warmup_ratio: Decay = option(
        0.03, "share of the steps in which the rate rises to its peak, none of them at 0", unit="1"
    )
    weight_decay: Amount = option(0.1, "decoupled weight decay (AdamW)")
    beta2: Decay = option(0.95, "decay of the mean of squared gradients (AdamW)", unit="1")
    precision: Literal["fp32", "bf16"] = option("fp32", "number format of training")
    gradient_checkpointing: bool = option(False, CHECKPOINTING)

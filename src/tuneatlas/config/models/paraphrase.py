"""The steps of the syntax study on models: pre-train on trees, tune to paraphrase, score."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import (
    REQUIRED,
    S3,
    Count,
    FilePath,
    Name,
    Positive,
    Section,
    Share,
    Text,
    option,
)
from tuneatlas.config.models.knowledge import PROCESSES, SAME
from tuneatlas.config.models.training import (
    CHECKPOINTING,
    KEEP,
    Amount,
    Decay,
    Keep,
    Rate,
    Stretch,
    TrainingConfig,
)

PRETRAINING = f"{S3}, pre-training"
TUNING = f"{S3}, fine-tuning"
METRICS = f"{S3}, evaluation"
LONGEST = "longest input or target; longer ones are cut, and counted"
CODE = f"{S3}, released code"
SHORTEST = (
    "no output ends before so many tokens; the one that begins it, which is given, is counted"
)
NO_REPEAT = "no n-gram of this size occurs twice in an output; 0: any may"
SEARCH = (
    "full: goes on while a better output is possible, and what a blocked token would have had is "
    "lost; early: ends with as many outputs as beams, and it goes to the other tokens, which "
    "CTranslate2 does several times faster on processors"
)
WARMUP = "share of the steps in which the rate rises to its peak, none of them at 0"
PER_DEVICE = "examples per device and forward pass; the rest of the batch is accumulated"

Form = Literal["bracket", "slash", "path"]
Search = Literal["full", "early"]
TreeShare = Annotated[float, Field(gt=0, le=1)]
STARTS = ("vanilla", "plain", "structure", "syntax", "both")
DENOISING = tuple(
    f"denoise_{level}_{kind}" for level in ("low", "high") for kind in ("intra", "inter")
)
TaskName = Annotated[str, Field(pattern=r"^[a-z_]+$")]
Percent = Annotated[int, Field(ge=1, le=100)]


class BuildTasks(Section):
    """Examples of the five structure tasks and the eleven syntax tasks."""

    structure_tasks: tuple[TaskName, ...] = option(
        (), "tasks of stage 1; none named: all", source=f"{PRETRAINING}: task masks"
    )
    syntax_tasks: tuple[TaskName, ...] = option(
        (), "tasks of stage 2; none named: all", source=f"{PRETRAINING}: task masks"
    )
    refill: bool = option(
        False,
        "trees whose task is left out have an example of another; false: none, as there, so that "
        "a mask makes the run shorter",
    )
    plain_passes: Positive = option(1, "examples of plain sentences drawn from each tree")
    structure_passes: Positive = option(1, "examples of stage 1 drawn from each tree")
    syntax_passes: Positive = option(1, "examples of stage 2 drawn from each tree")
    structure_share: TreeShare = option(
        1.0, "share of the trees used in stage 1", unit="1", source=f"{CODE}: subset_divisor"
    )
    syntax_share: TreeShare = option(
        1.0, "share of the trees used in stage 2", unit="1", source=f"{CODE}: subset_divisor"
    )
    heldout: Count = option(200, "trees held out to measure the tasks on", unit="trees")
    structure_form: Form = option(
        "bracket",
        "how trees of stage 1 are written: in brackets, with a slash where a node ends, or as the "
        "paths to leaves; others are in brackets",
        source=f"{PRETRAINING}: linearisations",
    )


class PairTraining(TrainingConfig):
    """What the trainings of the syntax study share."""

    keep: Keep = option("weights", KEEP)
    max_grad_norm: Amount = option(
        0.0, "gradients are scaled to at most this L2 norm; 0: never", source=CODE
    )
    weight_decay: Amount = option(0.01, "decoupled weight decay (AdamW)", source=CODE)
    precision: Literal["fp32", "bf16"] = option("fp32", "number format of training", source=CODE)
    gradient_checkpointing: bool = option(False, CHECKPOINTING)
    group_by_length: bool = option(True, "examples of a batch are about as long")
    end_when_cut: bool = option(True, "what is cut keeps its end token")
    overwrite_pieces: bool = option(
        False,
        "of a tree's label that the tokenizer knows already, the first piece it is cut into "
        "begins anew, as in the released code",
    )


class PretrainTasks(PairTraining):
    """Pre-training on the examples of a stage."""

    epochs: Positive = option(1, "passes over the examples", unit="passes", source=PRETRAINING)
    batch: Positive = option(512, "examples per optimizer step", source=f"{PRETRAINING}: 32 x 16")
    batch_used: Positive | None = option(
        None,
        "examples of each batch whose gradients are kept; null: all. 32: as the released code, "
        "which loses those of fifteen of sixteen",
        unit="examples",
    )
    rows_per_device: Positive = option(32, PER_DEVICE, unit="examples", source=PRETRAINING)
    row_length: Positive = option(300, LONGEST, unit="tokens", source=PRETRAINING)
    learning_rate: Rate = option(5e-5, "peak learning rate", source=PRETRAINING)
    schedule: Literal["cosine", "linear", "constant"] = option(
        "constant", "course of the learning rate after warm-up", source=CODE
    )
    warmup_ratio: Decay = option(0.03, WARMUP, unit="1")
    warmup_steps: Positive | None = option(
        62,
        "the same as a number of steps; null: by warmup_ratio",
        unit="steps",
        source=f"{CODE}: 1,000 micro-batches, of which 16 are a step",
    )
    dropout: Share = option(
        0.0,
        "share of activations dropped",
        unit="1",
        source=f"{CODE}: the model is never told to train",
    )


class PretrainSyntax(PretrainTasks):
    """Stage 2, whole and with tasks left out."""

    masks: dict[Name, tuple[TaskName, ...]] = option(
        {
            "no_unsupervised": DENOISING,
            "no_auxiliary": ("tree_pruning", "pruned_tree_completion", "production_detection"),
        },
        "starts after both stages whose stage 2 is without these tasks, by name; where some are "
        "stated, they are all",
        source=f"{S3}, ablations; which are auxiliary is told by the released masks",
    )


class EvaluateTasks(Section):
    """What a pre-trained model makes of the tasks on held-out trees."""

    beams: Positive = option(1, "beams of the search", unit="count", source=CODE)
    length_penalty: float = option(1.0, "exponent of the length in the score of a beam")
    min_length: Count = option(0, SHORTEST, unit="tokens")
    no_repeat_ngram_size: Count = option(0, NO_REPEAT, unit="tokens")
    search: Search = option("early", SEARCH)
    max_new_tokens: Positive = option(256, "longest output", unit="tokens", source=CODE)
    max_length: Positive = option(300, "longer inputs are cut", unit="tokens", source=PRETRAINING)
    batch_rows: Positive = option(32, "inputs at once", unit="inputs")


class FinetuneParaphrase(PairTraining):
    """Tuning to paraphrase in the syntax of a template: every start, format and share of pairs."""

    formats: tuple[Name, ...] = option(
        ("aesop_nooutputtree", "triplet_sentencetree"),
        "how source and template are shown and the paraphrase is written: files of "
        "config/templates/paraphrases",
        source=TUNING,
        min_length=1,
    )
    starts: tuple[Name, ...] = option(
        ("vanilla", "structure", "syntax", "both"),
        "the model tuned: T5 as it is (vanilla); trained on in plain sentences for as many tokens "
        "as both stages have (plain); after stage 1, 2 or both (structure, syntax, both); or one "
        "of pretrain_syntax.masks",
        source=f"{S3}, ablations; plain is ours",
        min_length=1,
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = option(
        None,
        "one tuning run per seed, which draws its own share of the pairs; null: the seeds of the "
        "experiment",
        min_length=1,
    )
    shares: tuple[Percent, ...] = option(
        (100, 10), "shares of the training pairs", unit="%", source=f"{S3}, few-shot", min_length=1
    )
    choose: Literal["dev", "test", "last"] = option(
        "dev",
        "the epoch kept: the best in corpus BLEU-4 on the pairs of dev, or of test, as in the "
        "released code (the report says so); or the last",
    )
    height: Positive = option(5, "depth at which trees are cut", unit="levels", source=TUNING)
    epochs: Positive = option(8, "passes over the pairs", unit="passes", source=TUNING)
    batch: Positive = option(128, "pairs per optimizer step", source=f"{TUNING}: 16 x 8")
    rows_per_device: Positive = option(16, PER_DEVICE, unit="pairs", source=TUNING)
    row_length: Positive = option(256, LONGEST, unit="tokens", source=TUNING)
    learning_rate: Rate = option(6e-5, "peak learning rate", source=TUNING)
    schedule: Literal["cosine", "linear", "constant"] = option(
        "cosine", "course of the learning rate after warm-up", source=TUNING
    )
    schedule_stretch: Stretch = option(
        1.2,
        "the schedule is laid out for this many times the steps of the run",
        unit="1",
        source=TUNING,
    )
    warmup_ratio: Decay = option(0.0, WARMUP, unit="1", source=CODE)
    dropout: Share = option(0.1, "share of activations dropped", unit="1", source=f"{CODE}: T5's")


class GenerateParaphrases(Section):
    """The paraphrases of the test pairs."""

    beams: Positive = option(5, "beams of the search", unit="count", source=TUNING)
    length_penalty: float = option(
        1.0, "exponent of the length in the score of a beam", source=TUNING
    )
    min_length: Count = option(5, SHORTEST, unit="tokens", source=CODE)
    no_repeat_ngram_size: Count = option(3, NO_REPEAT, unit="tokens", source=CODE)
    search: Search = option("full", SEARCH, source=CODE)
    max_new_tokens: Positive | None = option(
        None, "longest output; null: what the format's file states", unit="tokens", source=CODE
    )
    max_length: Positive = option(1000, "longer inputs are cut", unit="tokens", source=CODE)
    batch_rows: Positive = option(16, "inputs at once", unit="inputs")
    shards: Positive = option(1, f"jobs that share the batches of inputs; {SAME}", unit="jobs")
    processes: Positive = option(1, PROCESSES, unit="processes")


class ScoreParaphrases(Section):
    """Text metrics, and distances to the trees of reference and exemplar."""

    heights: tuple[Positive, ...] = option(
        (5,), "depths at which trees are cut for TED beside the whole ones", unit="levels"
    )
    retokenise: bool = option(
        False,
        "words are scored as NLTK cuts the paraphrase, and the reference as it is; what has no "
        "words as 37 hyphens: as in the released code",
    )
    meteor_paraphrases: bool = option(
        True, "METEOR matches paraphrases too: its full form, slower", source=METRICS
    )


class SystemOutputs(Section):
    """What another system wrote for the test pairs: scored as ours are, a row beside them."""

    outputs: FilePath = option(
        REQUIRED,
        "an output for each test pair, in their order: a text file, a line each; .jsonl; or "
        ".parquet of another run",
    )
    trees: FilePath | None = option(None, "their parses, a line each; null: parsed here")
    format: Name | None = option(
        None, "format of config/templates/paraphrases that they are in; null: plain text"
    )
    tokenise: bool = option(
        False, "words are cut as those of the references are, by the parse, before they are scored"
    )
    licence: Text | None = option(None, "licence of the outputs")


class CompareParaphrases(Section):
    """Every start, format and share of pairs side by side; the claim, and examples with trees."""

    draws: Positive = option(5000, "bootstrap resamples behind each interval", unit="count")
    confidence: Annotated[float, Field(gt=0, lt=1)] = option(
        0.95, "confidence level of intervals", unit="1"
    )
    examples: tuple[Annotated[float, Field(ge=0, le=1)], ...] = option(
        (0.1, 0.5, 0.9),
        "which test pairs are drawn as trees: ranks among all, from the best output to the worst",
        unit="1",
    )
    tasks_solved: Annotated[float, Field(ge=0, le=1)] = option(
        0.2,
        "manipulation check: mean score that a start reaches, at least, in the tasks that it was "
        "pre-trained on; below it its claims are not testable",
        unit="1",
    )

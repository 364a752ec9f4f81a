"""The steps of knowledge intervention: probe, label, explain, mix, tune, evaluate, compare."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import S1, Count, FilePath, Positive, Section, Text, option
from tuneatlas.config.models.training import TrainingConfig

PROBE = f"{S1}, probing"
GROUPS = f"{S1}, groups"
EXPLAIN = f"{S1}, self-aligning explanations"
EVALUATE = f"{S1}, evaluation"

Scoring = Literal["letter", "cloze", "cloze_normalised"]
SCORING = (
    "letter: probability of the option letter; cloze: log-likelihood of the option text; "
    "cloze_normalised: the same per token"
)
QUESTIONS = "how a question is put: a file of config/templates/questions"
CHAT = "how a conversation is laid out: a file of config/templates/chat"
FITS = "fits the memory; changes results by rounding alone and remakes nothing"
BATCH = f"tokens per forward pass; {FITS}"
Ratio = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
WEIGHT = "weight in the loss of right labels to questions of this category of knowledge"
KAFT = "Zhong et al. 2025, KaFT"


class ProbeKnowledge(Section):
    """What the base model answers, by in-context learning."""

    shots: Count = option(5, "worked examples before each question", unit="questions", source=PROBE)
    demonstration_seed: Count = option(
        42, "seed of the shuffle that draws them from dev", source=PROBE
    )
    draws: Positive = option(
        1, "draws of demonstrations; more: each question is asked with each", unit="count"
    )
    rotations: Annotated[int, Field(ge=1, le=4)] = option(
        1, "orders of the options, each one place on; 4: each option in each place", unit="count"
    )
    scoring: Scoring = option("letter", SCORING, source=PROBE)
    question_template: Text = option("letter", QUESTIONS, source=PROBE)
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")


class LabelKnowledge(Section):
    """Which group a question belongs to."""

    harmonious_size: Literal["match", "all"] = option(
        "match", "match: sampled down to the size of the other groups; all: kept", source=GROUPS
    )


class ExplainPredictions(Section):
    """The base model's own explanation of its wrong predictions."""

    explain_template: Text = option(
        "urial",
        "how an explanation is asked for: a file of config/templates/explain",
        source=EXPLAIN,
    )
    temperature: Annotated[float, Field(gt=0)] = option(
        0.7, "sampling temperature", unit="1", source=EXPLAIN
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = option(
        0.8, "nucleus of the sampling", unit="1", source=EXPLAIN
    )
    max_new_tokens: Positive = option(256, "longest explanation", unit="tokens", source=EXPLAIN)
    shots: Count = option(3, "worked examples before each question", unit="questions")
    batch_rows: Positive = option(
        32,
        "prompts generated at once; another number draws other explanations",
        unit="prompts",
    )


class MixInstructions(Section):
    """The training sets: conversations of each group, and mixtures between two of them."""

    question_template: Text = option("letter", QUESTIONS, source=f"{S1}, training details")
    context: bool = option(
        False,
        "put the explanation before the question too, so that a reply needs no knowledge that is "
        "not in the prompt; tests are asked without it",
    )
    maybe_known_weight: Weight = option(1.0, WEIGHT, unit="1", source=KAFT)
    weakly_known_weight: Weight = option(1.0, WEIGHT, unit="1", source=KAFT)
    unknown_weight: Weight = option(1.0, WEIGHT, unit="1", source=KAFT)
    ratios: tuple[Ratio, ...] = option(
        (0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
        "shares of INCOMPATIBLE replaced by SELF-ALIGNING; the pure groups always run",
        unit="1",
        source=GROUPS,
    )


class Finetune(TrainingConfig):
    """Instruction fine-tuning: loss on the assistant's tokens only."""

    chat_template: Text = option("vicuna", CHAT, source=f"{S1}, training details")


class EvaluateKnowledge(Section):
    """What the tuned model answers, zero-shot, on the test questions of every domain."""

    chat_template: Text = option("vicuna", CHAT, source=EVALUATE)
    question_template: Text = option("letter", QUESTIONS, source=EVALUATE)
    scoring: Scoring = option("letter", SCORING, source=EVALUATE)
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")


class EvaluateHarness(Section):
    """Tasks of lm-evaluation-harness beside our own evaluation: base and tuned models."""

    tasks: tuple[Text, ...] = option((), "names of its tasks; none: it is not run")
    include_path: FilePath | None = option(None, "folder with task files of your own")
    shots: Count | None = option(
        None, "demonstrations before each question; null: as each task says", unit="questions"
    )
    limit: Positive | None = option(None, "first items of each task; null: all", unit="items")
    chat: bool = option(False, "ask in the chat template of the model's tokenizer")
    batch_rows: Positive = option(16, f"prompts per forward pass; {FITS}", unit="prompts")


class CompareGroups(Section):
    """Accuracy and consistency of the groups, with intervals."""

    ood_roles: tuple[Literal["home", "related"], ...] = option(
        ("related",),
        "which test questions of the other domains are out of the domain (OOD): related ones, "
        "home ones, or both",
        source=f"{EVALUATE}: all other MMLU subjects",
        min_length=1,
    )
    draws: Annotated[int, Field(ge=100)] = option(
        5000, "bootstrap resamples behind each interval", unit="count"
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = option(
        0.95, "confidence level of the intervals", unit="1"
    )
    epsilon: Annotated[float, Field(gt=0, lt=0.1)] = option(
        1e-12, "least probability inside KL, which has no value at 0", unit="1"
    )


class Report(Section):
    """The page that says what was run and what came out."""

    examples: Count = option(3, "questions shown in full per group", unit="questions")

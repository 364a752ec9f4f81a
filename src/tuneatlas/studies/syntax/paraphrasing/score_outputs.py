"""Outputs of any system, scored by the code and in the order of step score_paraphrases."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneatlas.studies.syntax.paraphrasing.formats import Format
from tuneatlas.studies.syntax.paraphrasing.outputs import oddities, texts_of
from tuneatlas.studies.syntax.paraphrasing.score import candidate_rows, paraphrase_scores
from tuneatlas.studies.syntax.paraphrasing.side_by_side import (
    Run,
    mean_rows,
    subsets_of,
    values_of,
)
from tuneatlas.studies.syntax.trees.linear import in_own_signs, read_bracket, write_sentence
from tuneatlas.studies.syntax.trees.parsing import Parsed
from tuneatlas.studies.syntax.trees.trees import words
from tuneatlas.tables import Row

# An output as it stands, with no tree in it.
PLAIN = Format("plain", "", "", "whole")


class Scored(NamedTuple):
    """Rows of CANDIDATES and of SCORES, and what is odd about outputs: counts by name."""

    candidates: list[Row]
    scores: list[Row]
    odd: dict[str, Any]


def score_outputs(
    generations: Sequence[Row],
    pairs: Mapping[str, Row],
    found: Sequence[Parsed],
    kind: Format | None,
    programs: Mapping[str, Path] | None,
    options: Mapping[str, Any],
    *,
    tokenise: bool = False,
) -> Scored:
    """Score rows of GENERATIONS as those of a model of this workflow.

    Args:
        generations: the outputs, of pairs that have trees.
        pairs: rows of PARAPHRASES by id; ``exemplar`` may be null.
        found: the parses of the outputs in their own signs.
        kind: the format that was asked for, if its tree is a score; None: plain text.
        programs: the folders of METEOR and Java; None: without METEOR.
        options: of the step score_paraphrases.
        tokenise: words are cut as the references' are, by the parse, before they are compared.
    """
    texts = texts_of(generations)
    cut = [parsed.tree and " ".join(words(read_bracket(parsed.tree))) for parsed in found]
    glued = sum(bool(own) and own != text for own, text in zip(cut, texts, strict=True))
    if tokenise:
        texts = [own or text for own, text in zip(cut, texts, strict=True)]
    trees = [parsed.tree for parsed in found]
    scores = paraphrase_scores(generations, pairs, kind or PLAIN, texts, trees, programs, options)
    references = [reference_of(pairs[row["id"]]) for row in generations]
    written = [row["output"] for row in generations]
    odd: dict[str, Any] = oddities(written if kind is None else texts, references)
    odd["not word by word"] = glued
    odd["of another form"] = sum(bool(row["problem"]) for row in generations)
    odd["not parsed"] = dict(Counter(p.reason for p in found if p.tree is None))
    return Scored(
        candidate_rows(generations, texts, found),
        scores,
        {name: count for name, count in odd.items() if count},
    )


def reference_of(pair: Row) -> str:
    """The reference of a row of PARAPHRASES, in its own signs, word by word."""
    return in_own_signs(write_sentence(read_bracket(pair["target"], pair["id"])))


def metrics_of(
    scored: Scored, pairs: Mapping[str, Row], options: Mapping[str, Any], seed: int
) -> Iterator[Row]:
    """Each metric of each subset with its interval, as step compare_paraphrases has it.

    ``options``: draws, confidence and retokenise.
    """
    run = Run("", "", 0)
    values = values_of(
        [(run, scored.scores, scored.candidates)], pairs, retokenise=options["retokenise"]
    )
    bootstrap = {name: options[name] for name in ("draws", "confidence")}
    rng = np.random.default_rng(seed)
    for row in mean_rows(values, subsets_of(pairs), rng, bootstrap):
        yield {name: value for name, value in row.items() if name not in (*Run._fields, "seeds")}


def item_rows(
    generations: Sequence[Row], scored: Scored, pairs: Mapping[str, Row]
) -> Iterator[Row]:
    """A row per pair: its trees, the output with its tree, and each metric."""
    values: dict[str, dict[str, float | None]] = {}
    for row in scored.scores:
        values.setdefault(row["id"], {})[row["metric"]] = row["value"]
    for generation, candidate in zip(generations, scored.candidates, strict=True):
        pair = pairs[generation["id"]]
        yield {
            "id": generation["id"],
            **{name: pair[name] for name in ("source", "target", "exemplar")},
            "output": generation["output"],
            **{name: candidate[name] for name in ("sentence", "tree", "reason")},
            **values[generation["id"]],
        }

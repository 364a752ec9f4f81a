"""Scores of generated paraphrases: what is needed is no model but a parser."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.studies.syntax.paraphrasing.formats import Format, fill, read, trees_of
from tuneatlas.studies.syntax.paraphrasing.meteor import meteor
from tuneatlas.studies.syntax.paraphrasing.scores import (
    corpus_bleu,
    retokenised,
    text_scores,
    tree_scores,
)
from tuneatlas.studies.syntax.pretraining.task_scores import bracket_f1
from tuneatlas.studies.syntax.tables import CORPUS, score_rows
from tuneatlas.studies.syntax.trees.linear import in_own_signs, read_bracket, write_sentence
from tuneatlas.studies.syntax.trees.parsers import Parser
from tuneatlas.studies.syntax.trees.parsing import Parsed, need_some, parse_all
from tuneatlas.tables import Row


def parsed_candidates(
    generations: Sequence[Row], parser: Parser, max_words: int
) -> tuple[list[str], list[Parsed]]:
    """Each paraphrase in the sentence's own signs, and what the parser makes of it."""
    texts = [in_own_signs(row["sentence"]) for row in generations]
    found = parse_all(parser, texts, max_words)
    need_some(parser, (parsed.status for parsed in found))
    return texts, found


def candidate_rows(
    generations: Sequence[Row], candidates: Sequence[str], found: Sequence[Parsed]
) -> list[Row]:
    """Rows of CANDIDATES."""
    return [
        {"id": row["id"], "sentence": text, "tree": parsed.tree, "reason": parsed.reason}
        for row, text, parsed in zip(generations, candidates, found, strict=True)
    ]


def paraphrase_scores(
    generations: Sequence[Row],
    pairs: Mapping[str, Row],
    kind: Format,
    candidates: Sequence[str],
    trees: Sequence[str | None],
    programs: Mapping[str, Path] | None,
    options: Mapping[str, Any],
) -> list[Row]:
    """Rows of SCORES against reference, source and exemplar, and BLEU-4 of the corpus.

    ``pairs`` are rows of PARAPHRASES by id; ``trees`` those of ``candidates``; ``programs`` the
    folders of METEOR and Java, without which METEOR is left out.
    """
    asked = [pairs[row["id"]] for row in generations]
    sources, targets = (
        [in_own_signs(write_sentence(read_bracket(pair[side], pair["id"]))) for pair in asked]
        for side in ("source", "target")
    )
    scored = list(map(retokenised, candidates)) if options["retokenise"] else list(candidates)
    full = options["meteor_paraphrases"]
    meteors: list[float] | None = None
    if programs:
        meteors = meteor(scored, targets, programs["meteor"], programs["java"], paraphrases=full)
    found: list[dict[str, float | None]] = []
    for at, (row, pair) in enumerate(zip(generations, asked, strict=True)):
        scores: dict[str, float | None] = {
            **text_scores(scored[at], targets[at], sources[at]),
            **({"meteor": meteors[at]} if meteors else {}),
            "parsed": float(trees[at] is not None),
            **tree_scores(trees[at], pair["target"], pair["exemplar"], options["heights"]),
        }
        if kind.tree:
            given = trees_of(pair, kind.shown("test"))
            wanted = read(kind, fill(kind, given, "test", options["height"]).target).tree
            made = read(kind, row["output"]).tree
            scores["parse_f1"] = bracket_f1(made, wanted) if wanted else None
        found.append(scores)
    together = corpus_bleu(scored, targets)
    corpus = {"id": CORPUS, "metric": "corpus_bleu4", "value": together}
    return [*score_rows(generations, found), corpus]

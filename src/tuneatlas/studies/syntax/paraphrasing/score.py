"""The step that scores generated paraphrases; it needs no model but a parser."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.paraphrasing.formats import (
    fill,
    format_named,
    read,
    shape_of,
    shown,
    trees_of,
)
from tuneatlas.studies.syntax.paraphrasing.meteor import meteor
from tuneatlas.studies.syntax.paraphrasing.scores import corpus_bleu, text_scores, tree_scores
from tuneatlas.studies.syntax.pretraining.task_scores import bracket_f1
from tuneatlas.studies.syntax.tables import (
    CANDIDATES,
    CORPUS,
    GENERATIONS,
    SCORES,
    paraphrases,
    score_rows,
)
from tuneatlas.studies.syntax.trees.linear import read_sentence, write_sentence
from tuneatlas.studies.syntax.trees.parse import open_parser
from tuneatlas.studies.syntax.trees.parsing import need_some, parse_all


def score_paraphrases(step: Step, parsing: Mapping[str, Any]) -> dict[str, Any]:
    """Score each generated paraphrase against reference, source and template."""
    options, shape = step.options, shape_of(step)
    kind = format_named(step.wildcards["format"])
    pairs = {row["id"]: row for row in paraphrases(step.path("paraphrases"), "test")}
    rows = GENERATIONS.read(step.path("generations"))
    names = {"source", "target", *shown(kind)}
    trees = [trees_of(pairs[row["id"]], names) for row in rows]
    texts = {
        "candidate": [_plain(row["sentence"]) for row in rows],
        **{n: [_plain(write_sentence(t[n])) for t in trees] for n in ("target", "source")},
    }
    java = step.path("java")
    parser = open_parser(parsing, {"stanford": step.path("parser"), "java": java})
    parsed = parse_all(parser, texts["candidate"], parsing["max_words"])
    need_some(parser, (found.status for found in parsed))
    CANDIDATES.write(
        step.outputs["candidates"],
        (
            {"id": row["id"], "sentence": text, "tree": found.tree, "reason": found.reason}
            for row, text, found in zip(rows, texts["candidate"], parsed, strict=True)
        ),
    )
    meteors = meteor(
        texts["candidate"],
        texts["target"],
        step.path("meteor"),
        java,
        paraphrases=options["meteor_paraphrases"],
    )
    found: list[dict[str, float | None]] = []
    for at, (row, tree) in enumerate(zip(rows, trees, strict=True)):
        candidate, pair = parsed[at].tree, pairs[row["id"]]
        scores: dict[str, float | None] = {
            **text_scores(texts["candidate"][at], texts["target"][at], texts["source"][at]),
            "meteor": meteors[at],
            "parsed": float(candidate is not None),
        }
        for height in options["heights"]:
            scores |= tree_scores(candidate, pair["target"], pair["template"], height)
        if kind.read != "sentence":
            wanted = read(kind, fill(kind, tree, shape).target, shape).tree
            made = read(kind, row["output"], shape).tree
            scores["parse_f1"] = bracket_f1(made, wanted) if wanted else None
        found.append(scores)
    together = corpus_bleu(texts["candidate"], texts["target"])
    SCORES.write(
        step.outputs["scores"],
        [
            *score_rows(rows, found),
            {"id": CORPUS, "metric": "corpus_bleu4", "value": together},
        ],
    )
    return {
        "corpus_bleu4": together,
        "not_parsed": dict(Counter(p.reason for p in parsed if p.tree is None)),
        "of_another_form": sum(bool(row["problem"]) for row in rows),
    }


def _plain(written: str) -> str:
    return " ".join(" ".join(read_sentence(written)).split())

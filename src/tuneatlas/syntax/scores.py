"""Scores of generated paraphrases and of written trees, one value per sentence.

BLEU-4 and ROUGE come from sacrebleu and rouge_score, METEOR from its authors' program (see
``meteor``). TED-R compares with the reference's tree, TED-E with the template's; both are
taken of leafless trees cut at a height.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

from tuneatlas.errors import UserError
from tuneatlas.syntax.linear import Form
from tuneatlas.syntax.tasks import JOINT, Score
from tuneatlas.syntax.ted import tree_distance
from tuneatlas.syntax.trees import Tree, leafless, size

# The id of a score of all sentences together.
CORPUS = "corpus"
ROUGE = ("rouge1", "rouge2", "rougeL")


@cache
def _rouge() -> Any:
    logging.getLogger("absl").setLevel(logging.WARNING)  # it names its tokenizer every time
    return RougeScorer(list(ROUGE), use_stemmer=True)


def text_scores(candidate: str, reference: str, source: str) -> dict[str, float]:
    """BLEU-4 (0 to 100, of one sentence: smoothed), ROUGE F1, exact match, copy of the source."""
    bleu = sacrebleu.sentence_bleu(
        candidate, [reference], lowercase=True, tokenize="none", use_effective_order=True
    )
    rouge = _rouge().score(reference, candidate)
    return {
        "bleu4": float(bleu.score),
        **{name: float(rouge[name].fmeasure) for name in ROUGE},
        "exact_match": float(_same(candidate, reference)),
        "self_copy": float(_same(candidate, source)),
    }


def _same(one: str, other: str) -> bool:
    return one.lower().split() == other.lower().split()


def corpus_bleu(candidates: Sequence[str], references: Sequence[str]) -> float:
    """BLEU-4 of all sentences together as multi-bleu has it: lower case, unsmoothed, 0 to 100."""
    found = sacrebleu.corpus_bleu(
        candidates,
        [references],
        lowercase=True,
        tokenize="none",
        smooth_method="none",
        force=True,
    )
    return float(found.score)


def tree_scores(
    candidate: Tree | None, reference: Tree, template: Tree, height: int
) -> dict[str, float]:
    """``ted_r@height`` and ``ted_e@height``.

    Without a candidate's tree every node of the other has to be made.
    """
    others = {f"ted_r@{height}": reference, f"ted_e@{height}": template}
    if candidate is None:
        return {name: float(size(leafless(tree, height))) for name, tree in others.items()}
    return {name: float(tree_distance(candidate, t, height)) for name, t in others.items()}


def brackets(tree: Tree) -> Counter[tuple[str, int, int]]:
    """Label and span of every node; a bare node takes the room of a word."""
    found: Counter[tuple[str, int, int]] = Counter()

    def visit(node: Tree, start: int) -> int:
        end = start
        for child in node.children:
            end = end + 1 if isinstance(child, str) else visit(child, end)
        end = max(end, start + 1)
        found[node.label, start, end] += 1
        return end

    visit(tree, 0)
    return found


def f1(found: Counter[Any], wanted: Counter[Any]) -> float:
    """Harmonic mean of precision and recall of a bag, 0 to 1."""
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0


def bracket_f1(candidate: Tree | None, reference: Tree) -> float:
    """Labelled bracket F1 over all nodes; no tree has no bracket right."""
    return f1(brackets(candidate), brackets(reference)) if candidate else 0.0


def task_score(kind: Score, output: str, target: str, form: Form) -> float:
    """How near an output is to a pre-training task's target, 0 to 1."""
    output = " ".join(output.split())
    if kind == "exact_match":
        return float(output == target)
    if kind == "span_f1":
        return f1(Counter(output.split(JOINT)), Counter(target.split(JOINT)))
    try:
        tree = form.read(output, "output")
    except UserError:
        return 0.0
    return bracket_f1(tree, form.read(target))


def score_rows(
    generations: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, float | None]]
) -> list[dict[str, Any]]:
    """Rows of the table SCORES."""
    return [
        {"id": row["id"], "metric": metric, "value": value}
        for row, found in zip(generations, scores, strict=True)
        for metric, value in found.items()
    ]

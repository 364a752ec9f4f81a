"""Scores of generated paraphrases, one value per sentence.

BLEU-4 and ROUGE come from sacrebleu and rouge_score, METEOR from its authors' program (see
``meteor``). TED-R compares with the reference's tree, TED-E with the template's; both are
taken of leafless trees cut at a height.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

from tuneatlas.syntax.ted import code, tree_distance

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
    candidate: str | None, reference: str, template: str, height: int
) -> dict[str, float]:
    """``ted_r@height`` and ``ted_e@height`` of written trees.

    Without a candidate's tree every node of the other has to be made.
    """
    others = {f"ted_r@{height}": reference, f"ted_e@{height}": template}
    if candidate is None:
        return {name: float(code(tree, height).size) for name, tree in others.items()}
    return {name: float(tree_distance(candidate, t, height)) for name, t in others.items()}

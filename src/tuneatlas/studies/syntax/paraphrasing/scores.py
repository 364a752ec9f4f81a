"""Scores of generated paraphrases, one value per sentence.

BLEU-4 and ROUGE come from sacrebleu and rouge_score, METEOR from its authors' program (see
``meteor``). TED-R compares with the reference's tree, TED-E with the template's; both are
taken of leafless trees cut at a height.
"""

import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import sacrebleu
from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]
from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

from tuneatlas.studies.syntax.trees.ted import code, tree_distance

ROUGE = ("rouge1", "rouge2", "rougeL")


class RougeWords:
    """Words of any script, English ones stemmed: of ASCII text, those of rouge_score itself.

    A text without letters and digits is taken by its signs, so that it equals itself.
    """

    def __init__(self) -> None:
        self.stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """What n-grams are made of."""
        words = re.findall(r"[^\W_]+", text.lower())
        return [self.stem(w) if len(w) > 3 and w.isascii() else w for w in words] or text.split()


@cache
def _rouge() -> Any:
    logging.getLogger("absl").setLevel(logging.WARNING)  # it names its tokenizer every time
    return RougeScorer(list(ROUGE), tokenizer=RougeWords())


def text_scores(candidate: str, reference: str, source: str) -> dict[str, float]:
    """BLEU-4 (0 to 100, of one sentence: smoothed), ROUGE F1, exact match, copy of the source."""
    bleu = sacrebleu.sentence_bleu(
        candidate, [reference], lowercase=True, tokenize="none", use_effective_order=True
    )
    rouge = {name: found.fmeasure for name, found in _rouge().score(reference, candidate).items()}
    if _same(candidate, reference):  # also where a text has fewer words than an n-gram
        rouge = dict.fromkeys(ROUGE, 1.0)
    return {
        "bleu4": float(bleu.score),
        **{name: float(rouge[name]) for name in ROUGE},
        "exact_match": float(_same(candidate, reference)),
        "self_copy": float(_same(candidate, source)),
    }


def _same(one: str, other: str) -> bool:
    return bool(one.split()) and one.lower().split() == other.lower().split()


def corpus_bleu(candidates: Sequence[str], references: Sequence[str]) -> float:
    """BLEU-4 of all sentences together as multi-bleu has it: lower case, unsmoothed, 0 to 100.

    Where no reference has four words, their longest n-grams count.
    """
    if not candidates:
        return 0.0
    found = sacrebleu.corpus_bleu(
        candidates,
        [references],
        lowercase=True,
        tokenize="none",
        smooth_method="none",
        force=True,
        use_effective_order=max((len(r.split()) for r in references), default=0) < 4,
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

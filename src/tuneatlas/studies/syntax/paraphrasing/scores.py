"""Scores of generated paraphrases, one value per sentence.

BLEU-4 of a sentence and ROUGE come from sacrebleu and rouge_score, METEOR from its authors'
program (see ``meteor``). TED-R compares with the reference's tree, TED-E with the exemplar's: as
SGCP and AESOP do, and beside it of trees cut at a height.
"""

import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import sacrebleu
from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]
from nltk.tokenize.destructive import NLTKWordTokenizer  # type: ignore[import-untyped]
from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

from tuneatlas.statistics.bleu import Counts, bleu, bleu_counts, too_short
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.ted import code, tree_distance
from tuneatlas.studies.syntax.trees.trees import comparable

ROUGE = ("rouge1", "rouge2", "rougeL")
# ROUGE looks at so many words of a text, as py-rouge does.
ROUGE_WORDS = 100
# What the authors score in place of an output without words.
NO_WORDS = 37 * "-"


class RougeWords:
    """Words of any script, English ones stemmed: of ASCII text, those of rouge_score itself.

    A text without letters and digits is taken by its signs, so that it equals itself.
    """

    def __init__(self) -> None:
        self.stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """What n-grams are made of."""
        words = re.findall(r"[^\W_]+", text.lower())
        found = [self.stem(w) if len(w) > 3 and w.isascii() else w for w in words] or text.split()
        return found[:ROUGE_WORDS]


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


def corpus_counts(candidates: Sequence[str], references: Sequence[str]) -> Counts:
    """What corpus BLEU-4 counts of each pair, words in lower case; shape (pairs, SIZE)."""
    pairs = zip(candidates, references, strict=True)
    return np.array([bleu_counts(c.lower().split(), r.lower().split()) for c, r in pairs])


def corpus_bleu(candidates: Sequence[str], references: Sequence[str]) -> float:
    """BLEU-4 of all sentences together as multi-bleu -lc has it: unsmoothed, 0 to 100.

    Where no reference has four words, their longest n-grams count.
    """
    if not candidates:
        return 0.0
    counts = corpus_counts(candidates, references)
    return float(bleu(counts.sum(0), short=too_short(counts)))


def retokenised(text: str) -> str:
    """A candidate as the authors score it: cut by NLTK, and hyphens where there are no words."""
    return " ".join(NLTKWordTokenizer().tokenize(text)) or NO_WORDS


def tree_scores(
    candidate: str | None, reference: str, exemplar: str | None, heights: Sequence[int]
) -> dict[str, float]:
    """``ted_r`` and ``ted_e`` of written trees, and ``ted_r@height``, ``ted_e@height``.

    Without a candidate's tree every node of the other has to be made; without an exemplar's there
    is no ``ted_e``.
    """
    found = {}
    for name, other in (("ted_r", reference), ("ted_e", exemplar)):
        if other is None:
            continue
        found[name] = _edits(candidate and _comparable(candidate), _comparable(other))
        found |= {f"{name}@{height}": _edits(candidate, other, height) for height in heights}
    return found


def _comparable(text: str) -> str:
    return write_bracket(comparable(read_bracket(text)))


def _edits(candidate: str | None, other: str, height: int | None = None) -> float:
    if candidate is None:
        return float(code(other, height).size)
    return float(tree_distance(candidate, other, height))

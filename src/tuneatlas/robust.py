"""Robust probing: a question asked in several ways, and how sure that makes of what is known.

Off by default (one way: options as they stand, one draw of demonstrations). The categories are
those of SliCK (Gekhman et al. 2024, section 3), for questions with options.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneatlas.likelihoods import Floats
from tuneatlas.scoring import softmax
from tuneatlas.tables import Row


def rotate(question: Mapping[str, Any], places: int) -> Row:
    """The question with its options moved on by ``places``, the first after the last."""
    choices = list(question["choices"])
    at = places % len(choices)
    moved = [*choices[-at:], *choices[:-at]] if at else choices
    return {**question, "choices": moved, "answer": (question["answer"] + at) % len(choices)}


def restore_order(scores: Floats, places: int) -> Floats:
    """Scores of rotated options, in the order of the question as it stands."""
    return np.roll(scores, -(places % len(scores)))


def merge_scores(several: Sequence[Floats]) -> Floats:
    """Log of the mean probability of each option over the ways of asking; one way: unchanged."""
    if len(several) == 1:
        return several[0]
    return np.asarray(np.log(np.mean([softmax(s) for s in several], axis=0)))


def knowledge_row(question: Mapping[str, Any], several: Sequence[Floats]) -> Row:
    """A row of table KNOWLEDGE: how often a question was answered rightly, and its category."""
    answer = question["answer"]
    picks = [int(np.argmax(scores)) for scores in several]
    right = picks.count(answer) / len(picks)
    believed = float(np.mean([softmax(scores)[answer] for scores in several]))
    return {
        "id": question["id"],
        "ways": len(picks),
        "right_share": right,
        "agreement": Counter(picks).most_common(1)[0][1] / len(picks),
        "gold_prob": believed,
        "category": category(right, believed, len(several[0])),
    }


def category(right_share: float, gold_prob: float, options: int) -> str:
    """SliCK's category, greedy answers being the most probable options.

    HighlyKnown: right in every way of asking; MaybeKnown: in some; WeaklyKnown: in none, but
    the right option has more than chance's probability (in the original: some sampled answer is
    right, which among options would be always); Unknown: the rest.
    """
    if right_share == 1:
        return "HighlyKnown"
    if right_share > 0:
        return "MaybeKnown"
    return "WeaklyKnown" if gold_prob > 1 / options else "Unknown"

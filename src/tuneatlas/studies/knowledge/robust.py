"""Robust probing: a question asked in several ways, and how sure that makes of what is known.

Off by default (one way: options as they stand, one draw of demonstrations). The categories are
those of SliCK (Gekhman et al. 2024, section 3), for questions with options.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneatlas.models.likelihoods import Floats
from tuneatlas.models.scoring import best_options, softmax
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
    # Log-probabilities, so that an option that is all but impossible in every way stays a number.
    logs = np.stack([s - np.logaddexp.reduce(s) for s in several])
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(several)))


def knowledge_row(question: Mapping[str, Any], several: Sequence[Floats]) -> Row:
    """A row of table KNOWLEDGE: how often a question was answered rightly, and its category."""
    answer = question["answer"]
    picks = [best[0] if len(best) == 1 else None for best in map(best_options, several)]
    right = picks.count(answer) / len(picks)
    believed = float(np.mean([softmax(scores)[answer] for scores in several]))
    return {
        "id": question["id"],
        "ways": len(picks),
        "right_share": right,
        "agreement": _agreement(picks),
        "gold_prob": believed,
        "category": category(right, believed, len(several[0])),
    }


def _agreement(picks: Sequence[int | None]) -> float:
    """Share of the ways with the most frequent answer; a tie of options is no answer."""
    answers = Counter(pick for pick in picks if pick is not None)
    return max(answers.values(), default=0) / len(picks)


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

"""Split questions by whether the base model agrees with their label (Ren et al. 2024, 3.2)."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tuneatlas.tables import Row


def label_questions(
    answers: Sequence[Mapping[str, Any]],
    *,
    harmonious_size: Literal["match", "all"],
    rng: random.Random,
    min_confidence: float = 0.0,
    harmonious_pool: Literal["all", "confident"] = "all",
    seed: int = 42,
) -> list[Row]:
    """Split probed training questions by whether the base model agrees with the label.

    HARMONIOUS: the probe is right; trained on the right option. INCOMPATIBLE: it is wrong;
    trained on the right option. SELF-ALIGNING: the same questions as INCOMPATIBLE, trained
    on the model's own, wrong prediction. With ``match``, HARMONIOUS is sampled down to the
    size of the other two (never up).

    Args:
        answers: rows of the answers table, training split.
        harmonious_size: ``match`` or ``all``.
        rng: draws the harmonious sample from ``all`` right answers.
        min_confidence: questions whose answer has no more probability than this are in no group.
        harmonious_pool: ``confident``: the groups stand by falling probability of the answer, and
            HARMONIOUS is drawn, by ``seed``, from the most confident right answers: as many as
            there are wrong ones of any confidence.
        seed: draws the harmonious sample from the ``confident`` ones.

    Returns:
        Rows of the labels table, in the order of ``answers`` within each group, or ``confident``.
    """
    sure = [a for a in answers if not min_confidence or a["pred_prob"] > min_confidence]
    right = [a for a in sure if a["correct"]]
    wrong = [a for a in sure if not a["correct"]]
    match = harmonious_size == "match"
    if harmonious_pool == "confident":
        right, wrong = by_confidence(right), by_confidence(wrong)
        pool = min(len(right), sum(not a["correct"] for a in answers))
        size = min(pool, len(wrong)) if match else pool
        right = [right[rank] for rank in drawn_ranks(pool, size, seed)]
    elif match and len(right) > len(wrong):
        kept = set(rng.sample(range(len(right)), len(wrong)))
        right = [a for i, a in enumerate(right) if i in kept]
    return [
        *(_label(a, "harmonious", a["answer"]) for a in right),
        *(_label(a, "incompatible", a["answer"]) for a in wrong),
        *(_label(a, "self_aligning", a["pred"]) for a in wrong),
    ]


def by_confidence(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Answers by falling probability of the option chosen; equal ones stay in their order."""
    return sorted(answers, key=lambda a: -a["pred_prob"])


def drawn_ranks(pool: int, size: int, seed: int) -> list[int]:
    """Ranks of the answers drawn from the ``pool`` most confident ones, in the order drawn.

    As Ren et al. 2024 draw HARMONIOUS: the first ``size`` of a shuffle by a generator of its own
    (their utils.py, ``sample``).
    """
    ranks = list(range(pool))
    random.Random(seed).shuffle(ranks)
    return ranks[:size]


def _label(answer: Mapping[str, Any], group: str, label: int) -> Row:
    keep = {key: answer[key] for key in ("id", "answer", "pred", "correct")}
    return {**keep, "group": group, "label": label}

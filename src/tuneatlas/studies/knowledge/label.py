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
) -> list[Row]:
    """Split probed training questions by whether the base model agrees with the label.

    HARMONIOUS: the probe is right; trained on the right option. INCOMPATIBLE: it is wrong;
    trained on the right option. SELF-ALIGNING: the same questions as INCOMPATIBLE, trained
    on the model's own, wrong prediction. With ``match``, HARMONIOUS is sampled down to the
    size of the other two (never up).

    Args:
        answers: rows of the answers table, training split.
        harmonious_size: ``match`` or ``all``.
        rng: draws the harmonious sample.

    Returns:
        Rows of the labels table, in the order of ``answers`` within each group.
    """
    right = [a for a in answers if a["correct"]]
    wrong = [a for a in answers if not a["correct"]]
    if harmonious_size == "match" and len(right) > len(wrong):
        kept = set(rng.sample(range(len(right)), len(wrong)))
        right = [a for i, a in enumerate(right) if i in kept]
    return [
        *(_label(a, "harmonious", a["answer"]) for a in right),
        *(_label(a, "incompatible", a["answer"]) for a in wrong),
        *(_label(a, "self_aligning", a["pred"]) for a in wrong),
    ]


def _label(answer: Mapping[str, Any], group: str, label: int) -> Row:
    keep = {key: answer[key] for key in ("id", "answer", "pred", "correct")}
    return {**keep, "group": group, "label": label}

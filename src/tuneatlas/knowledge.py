"""Study S1 (Ren et al. 2024): probe, label, explain, mix, evaluate. Pure functions over rows."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tuneatlas.errors import UserError
from tuneatlas.prompts import QuestionTemplate, reply_text, user_text
from tuneatlas.tables import GROUPS, Row

# The group that is trained on the model's own predictions.
OWN = "self_aligning"


def pick_demonstrations(pool: Sequence[Row], shots: int, rng: random.Random) -> list[Row]:
    """``shots`` demonstrations: the pool in its order, shuffled, cut (Ren et al. 2024, 3.1)."""
    if len(pool) < shots:
        domain = pool[0]["domain"] if pool else "?"
        raise UserError(
            f"domain {domain}: {shots} shots asked for, but only {len(pool)} dev questions; "
            "lower probe_knowledge.shots or raise the domain's dev limit"
        )
    order = list(pool)
    rng.shuffle(order)
    return order[:shots]


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


def mixture_ratio(group: str) -> float | None:
    """Share of self-aligning rows in a group: 0 to 1, None for harmonious.

    ``mixed_20`` is INCOMPATIBLE with 20 % of its questions in their SELF-ALIGNING version.
    """
    fixed = {"harmonious": None, "incompatible": 0.0, "self_aligning": 1.0}
    if group in fixed:
        return fixed[group]
    return int(group.removeprefix("mixed_")) / 100


def mix_instructions(
    labels: Sequence[Row],
    questions: Mapping[str, Row],
    explanations: Mapping[str, str],
    *,
    group: str,
    template: QuestionTemplate,
    rng: random.Random,
    context: bool = False,
    weights: Mapping[str, float] | None = None,
) -> list[Row]:
    """Conversations of one training set.

    Right labels come with the reference explanation; the model's own predictions with the
    model's own explanation.

    Args:
        labels: rows of the labels table of the domain.
        questions: question rows by id.
        explanations: the base model's own explanations by question id.
        group: knowledge group or mixture.
        template: question template, whose ``instruction`` and ``reply`` are used.
        rng: draws which questions a mixture replaces.
        context: put each reply's explanation before its question too.
        weights: weight in the loss by question id, of labels that may be at odds with what the
            model knows; its own predictions weigh 1.

    Returns:
        Rows of the conversations table.
    """
    rows = {name: [r for r in labels if r["group"] == name] for name in GROUPS}
    ratio = mixture_ratio(group)
    if ratio is None:
        chosen = rows["harmonious"]
    else:
        own = {r["id"]: r for r in rows["self_aligning"]}
        gold = rows["incompatible"]
        order = [r["id"] for r in gold]
        rng.shuffle(order)
        # A prefix of one shuffle: with the same rng, a larger mixture holds the smaller ones.
        replaced = set(order[: round(ratio * len(gold))])
        chosen = [own[r["id"]] if r["id"] in replaced else r for r in gold]
    if not chosen:
        which, other = ("never", "easier") if ratio is None else ("always", "harder")
        raise UserError(
            f"group {group} is empty: the base model was {which} right on this domain's training "
            f"questions; give the domain more or {other} ones, ask it in another way "
            "(probe_knowledge.scoring), or leave the domain out (tune: false)"
        )
    return [
        _conversation(row, questions[row["id"]], explanations, template, context)
        | {"weight": (weights or {}).get(row["id"], 1.0) if row["group"] != OWN else 1.0}
        for row in chosen
    ]


def _conversation(
    row: Row,
    question: Row,
    explanations: Mapping[str, str],
    template: QuestionTemplate,
    context: bool,
) -> Row:
    own = row["group"] == OWN
    explanation = explanations[row["id"]] if own else question["explanation"]
    asked = user_text(template, question)
    return {
        "id": row["id"],
        "origin": row["group"],
        "label": row["label"],
        "messages": [
            {"role": "user", "content": f"{explanation}\n\n{asked}" if context else asked},
            {
                "role": "assistant",
                "content": reply_text(template, question, row["label"], explanation),
            },
        ],
    }

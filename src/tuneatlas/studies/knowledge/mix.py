"""Conversations of one training set: a knowledge group, or a mixture of two."""

import random
from collections.abc import Mapping, Sequence

from tuneatlas.data.groups import self_aligning_share
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import QuestionTemplate, reply_text, user_text
from tuneatlas.tables import GROUPS, Row

# The group that is trained on the model's own predictions.
OWN = "self_aligning"


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
    ratio = self_aligning_share(group)
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

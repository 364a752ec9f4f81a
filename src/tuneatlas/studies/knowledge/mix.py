"""Conversations of one training set: a knowledge group, or a mixture of two."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tuneatlas.data.groups import CONTEXTUALISED, RANDOM_WRONG, self_aligning_share
from tuneatlas.data.instructions import read_instructions
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import QuestionTemplate, reply_text, user_text
from tuneatlas.tables import GENERAL, GROUPS, Row

# The group that is trained on the model's own predictions.
OWN = "self_aligning"


class General(NamedTuple):
    """Instructions of any kind to be mixed in: so many for each question, drawn by ``rng``."""

    conversations: Sequence[Sequence[Mapping[str, str]]]
    ratio: float
    rng: random.Random

    @classmethod
    def of(cls, files: Iterable[Path], ratio: float, rng: random.Random) -> "General | None":
        """The instructions of the user's files; None where none is given."""
        found = [conversation for path in files for conversation in read_instructions(path)]
        return cls(found, ratio, rng) if found else None


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
    contexts: Mapping[str, str] | None = None,
    leave_out: Collection[str] = (),
    general: General | None = None,
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
        contexts: what stands before each question in group ``contextualised``, by id.
        leave_out: ids of questions that no group is to hold, such as those whose explanation did
            not end. HARMONIOUS, where it is of the size of the other groups, stays so.
        general: instructions of any kind that follow the questions.

    Returns:
        Rows of the conversations table.
    """
    rows = {name: [r for r in labels if r["group"] == name] for name in GROUPS}
    labelled = rows
    if leave_out:
        rows = _without(rows, leave_out, random.Random(rng.random()))
    ratio = 0.0 if group == CONTEXTUALISED else self_aligning_share(group)
    if ratio is None:
        # And its control, which has other labels.
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
        raise UserError(_empty(group, labelled))
    if group == RANDOM_WRONG:
        chosen = [_mislabelled(row, questions[row["id"]], rng) for row in chosen]
        # Reference explanations say the right answer.
        questions = {r["id"]: {**questions[r["id"]], "explanation": ""} for r in chosen}
    given = _given(chosen, contexts or {}) if group == CONTEXTUALISED else {}
    asked = [
        _conversation(row, questions[row["id"]], explanations, template, context, given)
        | {"weight": (weights or {}).get(row["id"], 1.0) if row["group"] != OWN else 1.0}
        for row in chosen
    ]
    return asked + (_general(general, len(asked)) if general else [])


def unfinished(explanations: Sequence[Row]) -> set[str]:
    """Ids of the questions whose explanation reached its greatest length unfinished."""
    return {row["id"] for row in explanations if row["finish"] == "length"}


def _without(
    rows: Mapping[str, list[Row]], leave_out: Collection[str], rng: random.Random
) -> dict[str, list[Row]]:
    """The groups without some questions; what was of one size stays of one size."""
    left = {name: [r for r in rows[name] if r["id"] not in leave_out] for name in rows}
    right, wrong = left["harmonious"], left["incompatible"]
    if len(rows["harmonious"]) == len(rows["incompatible"]) and len(right) > len(wrong):
        kept = set(rng.sample(range(len(right)), len(wrong)))
        left["harmonious"] = [row for place, row in enumerate(right) if place in kept]
    return left


def _empty(group: str, labelled: Mapping[str, list[Row]]) -> str:
    """Why a group has no questions, of those that the probe gave to each group."""
    right, wrong = len(labelled["harmonious"]), len(labelled["incompatible"])
    if right if group in ("harmonious", RANDOM_WRONG) else wrong:
        return (
            f"group {group} is empty: none of the model's own explanations on this domain ended, "
            "and explain_predictions.unfinished leaves their questions out; raise "
            "explain_predictions.max_new_tokens, or say unfinished: keep"
        )
    # HARMONIOUS of the size of the others is empty too where these are.
    which, other = ("never", "easier") if wrong else ("always", "harder")
    return (
        f"group {group} is empty: the base model was {which} right on this domain's training "
        "questions, or not sure enough (label_knowledge.min_confidence); give the domain more or "
        f"{other} ones, ask it in another way (probe_knowledge.scoring), or leave the domain out "
        "(tune: false)"
    )


def _mislabelled(row: Row, question: Row, rng: random.Random) -> Row:
    """A row of the labels table with one of the wrong options as its label."""
    wrong = [i for i in range(len(question["choices"])) if i != row["answer"]]
    return {**row, "label": rng.choice(wrong)}


def _given(chosen: Sequence[Row], contexts: Mapping[str, str]) -> dict[str, str]:
    """The contexts of questions; UserError if some have none."""
    missing = [row["id"] for row in chosen if row["id"] not in contexts]
    if missing:
        raise UserError(
            f"group {CONTEXTUALISED}: {len(missing)} of its {len(chosen)} questions have no "
            f"context, such as {missing[0]!r}: give them one in the column 'context' of the "
            "question file"
        )
    return {row["id"]: contexts[row["id"]] for row in chosen}


def _conversation(
    row: Row,
    question: Row,
    explanations: Mapping[str, str],
    template: QuestionTemplate,
    context: bool,
    given: Mapping[str, str],
) -> Row:
    own = row["group"] == OWN
    explanation = explanations[row["id"]] if own else question["explanation"]
    before = given.get(row["id"], (explanation or None) if context else None)
    asked = user_text(template, question)
    return {
        "id": row["id"],
        "origin": row["group"],
        "label": row["label"],
        "messages": [
            {"role": "user", "content": asked if before is None else f"{before}\n\n{asked}"},
            {
                "role": "assistant",
                "content": reply_text(template, question, row["label"], explanation),
            },
        ],
    }


def _general(general: General, questions: int) -> list[Row]:
    """As many instructions as are asked for, in the order drawn; more questions draw more.

    Raises:
        UserError: there are fewer.
    """
    wanted, have = round(general.ratio * questions), len(general.conversations)
    if wanted > have:
        raise UserError(
            f"mix_instructions.general: {wanted} instructions are asked for beside {questions} "
            f"questions, and the file has {have}: lower ratio, or give it more"
        )
    order = list(range(have))
    general.rng.shuffle(order)
    return [
        {
            "id": f"{GENERAL}/{at}",
            "origin": GENERAL,
            "label": -1,
            "messages": [dict(message) for message in general.conversations[at]],
            "weight": 1.0,
        }
        for at in order[:wanted]
    ]

"""A battery: one question put in several ways, all of which ask the same.

That what seems lost after tuning may be reached by another prompt is from Kotha et al. 2024 (arXiv
2309.10105), who ask in other languages; here layout, wording and order of options are varied.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.models.prompts import (
    ChatTemplate,
    Question,
    QuestionTemplate,
    Segment,
    chat_continuations,
    chat_prompt,
    continuations,
    few_shot_prompt,
    question_text,
    text_of,
)

Text = str | Segment
# Ways of asking; rewordings and orders of options are numbered.
FEW_SHOT, ZERO_SHOT, CHAT = "few_shot", "zero_shot", "chat"
REWORDED, ORDER = "reworded_", "order_"
# Where a rewording has the question.
PLACE = "{question}"


class Layouts(NamedTuple):
    """The probe's template; the chat's, its conversation and how its options are scored.

    ``rewordings`` hold PLACE; ``orders``: how many other orders of the options there are.
    """

    template: QuestionTemplate
    chat_template: QuestionTemplate
    chat: ChatTemplate
    alone: bool
    ways: Sequence[str]
    rewordings: Sequence[str]
    orders: int


class Put(NamedTuple):
    """A prompt and the options scored behind it, which stand ``turned`` places further on."""

    prompt: Text
    options: list[Text]
    turned: int = 0


def ways_of(question: Question, few_shot: str, layouts: Layouts) -> dict[str, Put]:
    """All ways of asking one question, by name; ``few_shot``: the prompt of the probe.

    Rewordings and other orders are of this question alone: its demonstrations stay.
    """
    template = layouts.template
    own = question_text(template, question, template.question)
    if not few_shot.endswith(own):
        raise UserError(
            f"question {question['id']!r}: its prompt was made by another template; run "
            "probe_knowledge again"
        )
    head = few_shot.removesuffix(own)

    def put(changed: Question, turned: int = 0) -> Put:
        text = head + question_text(template, changed, template.question)
        return Put(text, [*continuations(template, changed)], turned)

    found = {FEW_SHOT: put(question)}
    if ZERO_SHOT in layouts.ways:
        found[ZERO_SHOT] = found[FEW_SHOT]._replace(prompt=few_shot_prompt(template, [], question))
    if CHAT in layouts.ways:
        found[CHAT] = _in_chat(question, layouts)
    for number, form in enumerate(layouts.rewordings, 1):
        worded = form.replace(PLACE, question["question"])
        found[f"{REWORDED}{number}"] = put({**question, "question": worded})
    for places in range(1, layouts.orders + 1):
        choices = question["choices"]
        at = -places % len(choices)
        turned = {**question, "choices": [*choices[at:], *choices[:at]]}
        found[f"{ORDER}{places}"] = put(turned, places)
    return found


def _in_chat(question: Question, layouts: Layouts) -> Put:
    """As tuned models are asked by `evaluate_knowledge`."""
    template, chat = layouts.chat_template, layouts.chat
    if layouts.alone:
        prompt = chat_prompt(chat, template, question, lead=True)
        return Put(prompt, [*continuations(template, question)])
    return Put(
        chat_prompt(chat, template, question), [*chat_continuations(chat, template, question)]
    )


def equal_ways(ways: Mapping[str, Put]) -> tuple[str, str] | None:
    """The first two ways whose prompts are the same but for blanks around them."""
    texts = {name: text_of(put.prompt).strip() for name, put in ways.items()}
    return next((two for two in combinations(texts, 2) if texts[two[0]] == texts[two[1]]), None)

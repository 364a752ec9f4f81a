"""One question in several ways: what each changes, and that none is another's."""

import pytest

from tests.examples import TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate, few_shot_prompt, text_of
from tuneatlas.studies.atlas.ways import Layouts, equal_ways, ways_of

LETTER, CLOZE = (
    QuestionTemplate.load(TEMPLATES / f"questions/{name}.yaml") for name in ("letter", "cloze")
)
CHAT = ChatTemplate.load(TEMPLATES / "chat/short.yaml")
ASKED = question(7)


def ways(template: QuestionTemplate = LETTER, **changes: object) -> dict:
    layouts = Layouts(
        **{"template": template, "chat_template": template, "chat": CHAT, "alone": False},
        **{"ways": ["zero_shot", "chat"], "rewordings": ["Say: {question}"], "orders": 1},
    )
    prompt = few_shot_prompt(template, [question(1)], ASKED)
    return ways_of(ASKED, prompt, layouts._replace(**changes))


def test_each_way_changes_one_thing():
    found = ways()
    assert list(found) == ["few_shot", "zero_shot", "chat", "reworded_1", "order_1"]
    few_shot = few_shot_prompt(LETTER, [question(1)], ASKED)
    assert found["few_shot"].prompt == few_shot
    assert found["zero_shot"].prompt == few_shot_prompt(LETTER, [], ASKED)
    *_, last = few_shot.split(ASKED["question"])
    head = few_shot.removesuffix(ASKED["question"] + last)
    assert found["reworded_1"].prompt == f"{head}Say: {ASKED['question']}{last}"
    turned = ASKED | {"choices": [ASKED["choices"][n] for n in (3, 0, 1, 2)]}
    assert found["order_1"].prompt == few_shot_prompt(LETTER, [question(1)], turned)
    assert found["order_1"].turned == 1
    assert text_of(found["chat"].prompt).startswith("User: The following are")
    assert [text_of(option) for option in found["chat"].options] == [" A", " B", " C", " D"]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"template": CLOZE}, ("few_shot", "order_1")),
        ({"orders": 4}, ("few_shot", "order_4")),
        ({"rewordings": ["{question} "]}, None),
        ({"rewordings": ["{question}"]}, ("few_shot", "reworded_1")),
        ({"rewordings": ["{question}?", "{question}?"]}, ("reworded_1", "reworded_2")),
    ],
)
def test_ways_in_the_same_words_are_told(changes: dict, same: tuple[str, str] | None):
    assert equal_ways(ways(**changes)) == same


def test_a_prompt_of_another_template_is_refused():
    layouts = Layouts(LETTER, LETTER, CHAT, False, (), (), 0)
    with pytest.raises(UserError, match="was made by another template; run probe_knowledge again"):
        ways_of(ASKED, few_shot_prompt(CLOZE, [], ASKED), layouts)

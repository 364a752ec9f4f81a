"""Conversations of each group: whose label, with which explanation, of which weight."""

import random
from itertools import pairwise

import pytest

from tests.examples import TEMPLATES, question
from tests.unit.studies.fake_answers import probed
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.label import label_questions
from tuneatlas.studies.knowledge.mix import mix_instructions

CLOZE = QuestionTemplate.load(TEMPLATES / "questions" / "cloze.yaml")


def mixture(group: str, seed: int = 0, context: bool = False, weights=None) -> list[dict]:
    rows = label_questions(
        probed([False] * 10 + [True] * 3), harmonious_size="match", rng=random.Random(0)
    )
    questions = {f"q{n}": question(n, id=f"q{n}", answer=1) for n in range(13)}
    return mix_instructions(
        rows,
        questions,
        {f"q{n}": f"own {n}" for n in range(10)},
        group=group,
        template=CLOZE,
        rng=random.Random(seed),
        context=context,
        weights=weights,
    )


def test_mixtures_are_nested_and_exact():
    replaced = []
    for group in ("incompatible", "mixed_20", "mixed_40", "mixed_80", "self_aligning"):
        rows = mixture(group)
        assert [r["id"] for r in rows] == [f"q{n}" for n in range(10)]
        replaced.append({r["id"] for r in rows if r["origin"] == "self_aligning"})
    assert [len(r) for r in replaced] == [0, 2, 4, 8, 10]
    assert all(a <= b for a, b in pairwise(replaced))
    assert mixture("mixed_40", 1) != mixture("mixed_40", 0)


def test_labels_come_with_their_own_explanation():
    gold, own = mixture("incompatible")[0], mixture("self_aligning")[0]
    assert gold["messages"][1]["content"] == "2\n1 follows 0."
    assert own["messages"][1]["content"] == "4\nown 0"
    assert gold["messages"][0] == {"role": "user", "content": "Which number follows 0?"}


def test_the_positive_control_has_wrong_labels_drawn_at_random_and_no_explanation():
    rows, right = mixture("random_wrong"), mixture("harmonious")
    assert [r["id"] for r in rows] == [r["id"] for r in right]
    drawn = [row for seed in range(10) for row in mixture("random_wrong", seed)]
    assert {r["label"] for r in drawn} == {0, 2, 3}
    for row, gold in zip(rows, right, strict=True):
        assert row["messages"][0] == gold["messages"][0]
        (reply,) = row["messages"][1]["content"].splitlines()
        assert reply != gold["messages"][1]["content"].splitlines()[0]
    # Where explanations stand before questions, there is none here.
    assert mixture("random_wrong", context=True) == rows
    assert mixture("random_wrong", 1) != rows


def test_in_context_each_reply_has_its_explanation_before_the_question():
    for group, explanation in (("incompatible", "1 follows 0."), ("self_aligning", "own 0")):
        plain, given = mixture(group)[0], mixture(group, context=True)[0]
        asked = plain["messages"][0]["content"]
        assert given["messages"][0]["content"] == f"{explanation}\n\n{asked}"
        assert given["messages"][1] == plain["messages"][1]


def test_only_labels_that_may_be_at_odds_with_what_is_known_weigh_otherwise():
    rows = mixture("mixed_40", weights={f"q{n}": 0.25 for n in range(5)})
    assert {r["origin"] for r in rows} == {"incompatible", "self_aligning"}
    for row in rows:
        odd = row["origin"] == "incompatible" and int(row["id"][1:]) < 5
        assert row["weight"] == (0.25 if odd else 1.0)
    assert {r["weight"] for r in mixture("incompatible")} == {1.0}


def test_an_empty_group_is_named():
    labels = label_questions(probed([False]), harmonious_size="match", rng=random.Random(0))
    with pytest.raises(UserError, match=r"harmonious is empty: .* never right .* \(tune: false\)"):
        mix_instructions(labels, {}, {}, group="harmonious", template=CLOZE, rng=random.Random(0))


@pytest.mark.parametrize(
    ("right", "sure", "left_out", "group", "said"),
    [
        ([False], 0.0, (), "harmonious", "never right .* easier"),
        ([True], 0.0, (), "incompatible", "always right .* harder"),
        ([True], 0.0, (), "mixed_40", "always right .* harder"),
        # HARMONIOUS has the size of the others: none.
        ([True], 0.0, (), "harmonious", "always right .* harder"),
        ([True, False], 0.9, (), "self_aligning", r"not sure enough \(label_knowledge"),
        ([True, False], 0.0, ("q1",), "incompatible", "explanations .* ended.* unfinished: keep"),
        ([True, False], 0.0, ("q1",), "harmonious", "explanations .* ended.* unfinished: keep"),
    ],
)
def test_an_empty_group_says_what_emptied_it(right, sure, left_out, group, said):
    answers = [row | {"pred_prob": 0.8} for row in probed(right)]
    labels = label_questions(
        answers, harmonious_size="match", rng=random.Random(0), min_confidence=sure
    )
    with pytest.raises(UserError, match=f"{group} is empty: .*{said}"):
        mix_instructions(
            labels,
            {},
            {},
            group=group,
            template=CLOZE,
            rng=random.Random(0),
            leave_out=set(left_out),
        )

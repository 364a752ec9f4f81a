"""Questions asked in several ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import TEMPLATES, question
from tuneatlas.models.prompts import QuestionTemplate, continuations
from tuneatlas.models.save import save_model
from tuneatlas.models.scoring import score_options, softmax
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.studies.knowledge.robust import (
    category,
    knowledge_row,
    merge_scores,
    restore_order,
    rotate,
)
from tuneatlas.tables import ANSWERS, KNOWLEDGE

QUESTIONS = [
    question(n, id=f"q/{n}", split=split, answer=n % 4)
    for n, split in enumerate(["dev"] * 3 + ["train"] * 4)
]
PROBE = {
    "scoring": "cloze",
    "batch_tokens": 4096,
    "shots": 2,
    "demonstration_seed": 1,
    "dtype": "float32",
}


def test_a_topic_with_enough_dev_questions_is_shown_its_own(tmp_path, model, tokenizer):
    model.config.max_position_embeddings = 1024
    save_model(tmp_path, model, tokenizer)
    template = QuestionTemplate.load(TEMPLATES / "questions/letter.yaml")
    topics = ["law"] * 2 + ["virology"] * 2 + ["anatomy"]
    questions = [
        question(n, id=f"{split}/{n}", split=split, role="related", topic=topic)
        for split, numbers in (("dev", range(5)), ("test", range(10, 15)))
        for n, topic in zip(numbers, topics, strict=True)
    ]
    options = PROBE | {"draws": 1, "rotations": 1, "scoring": "cloze"}
    found = probe_base(tmp_path, questions, template, options, bos=True).answers
    shown = {q["topic"]: set() for q in questions}
    for row, topic in zip(found, topics, strict=True):
        assert f"questions about {topic}. " in row["prompt"]
        shown[topic].add(tuple(n for n in range(5) if f"follows {n}?" in row["prompt"]))
    assert shown["law"] == {(0, 1)} and shown["virology"] == {(2, 3)}
    # One dev question is too few for two shots: any of the role.
    assert [len(numbers) for numbers in shown["anatomy"]] == [2]
    # Prompts that begin alike are scored together; alone they get the same scores.
    scored = [continuations(template, q) for q in questions[5:]]
    asked = [row["prompt"] for row in found]
    alone = [
        score_options(
            model, tokenizer, [prompt], [texts], bos=True, per_token=False, batch_tokens=4096
        )[0]
        for prompt, texts in zip(asked, scored, strict=True)
    ]
    for row, scores in zip(found, alone, strict=True):
        assert row["scores"] == pytest.approx(scores, abs=1e-5)


@given(st.integers(0, 3), st.integers(0, 7))
def test_rotated_options_come_back(answer, places):
    asked = question(5, answer=answer)
    turned = rotate(asked, places)
    assert turned["choices"][turned["answer"]] == asked["choices"][answer]
    assert sorted(turned["choices"]) == sorted(asked["choices"])
    scores = np.array([float(len(c)) + float(c) / 100 for c in turned["choices"]])
    back = restore_order(scores, places)
    assert back.tolist() == [float(len(c)) + float(c) / 100 for c in asked["choices"]]


def test_four_rotations_show_every_option_in_every_place():
    turned = [rotate(question(5), places)["choices"] for places in range(4)]
    assert all(len(set(place)) == 4 for place in zip(*turned, strict=True))


def test_one_way_of_asking_changes_no_score():
    scores = np.array([-1.0, -2.0, -3.0, -4.0])
    assert merge_scores([scores]) is scores
    merged = merge_scores([scores, scores[::-1]])
    assert softmax(merged) == pytest.approx(merged_mean(scores))


def merged_mean(scores):
    return (softmax(scores) + softmax(scores[::-1])) / 2


@pytest.mark.parametrize(
    ("right", "believed", "expected"),
    [
        (1.0, 0.9, "HighlyKnown"),
        (0.25, 0.1, "MaybeKnown"),
        (0.0, 0.3, "WeaklyKnown"),
        (0.0, 0.25, "Unknown"),
    ],
)
def test_categories(right, believed, expected):
    assert category(right, believed, 4) == expected


def test_knowledge_is_the_share_of_ways_that_are_right():
    ways = [np.array(s) for s in ([3.0, 1, 0, 0], [3.0, 1, 0, 0], [0.0, 3, 0, 0])]
    row = knowledge_row(question(1, answer=0), ways)
    assert (row["ways"], row["category"]) == (3, "MaybeKnown")
    assert row["right_share"] == row["agreement"] == pytest.approx(2 / 3)


def test_the_probe_asks_in_every_way(tmp_path, model, tokenizer):
    model.config.max_position_embeddings = 1024
    save_model(tmp_path, model, tokenizer)
    cloze = QuestionTemplate.load(TEMPLATES / "questions/cloze.yaml")
    one = probe_base(tmp_path, QUESTIONS, cloze, PROBE | {"draws": 1, "rotations": 1}, bos=True)
    # Options are not shown in this template, so their order changes nothing; draws do.
    same = probe_base(tmp_path, QUESTIONS, cloze, PROBE | {"draws": 1, "rotations": 4}, bos=True)
    for a, b in zip(one.answers, same.answers, strict=True):
        assert a["probs"] == pytest.approx(b["probs"], abs=1e-5) and a["pred"] == b["pred"]
    assert {row["agreement"] for row in same.knowledge} == {1.0}
    several = probe_base(tmp_path, QUESTIONS, cloze, PROBE | {"draws": 3, "rotations": 1}, bos=True)
    assert [r["ways"] for r in several.knowledge] == [3] * 4
    assert several.answers[0]["prompt"] == one.answers[0]["prompt"]
    assert several.answers[0]["probs"] != pytest.approx(one.answers[0]["probs"], abs=1e-9)
    ANSWERS.build(several.answers)
    KNOWLEDGE.build(several.knowledge)

import json
import random
from itertools import pairwise

import pytest
from conftest import ROOT, TEMPLATES, question
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.data.groups import self_aligning_share
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.label import label_questions
from tuneatlas.studies.knowledge.mix import mix_instructions
from tuneatlas.studies.knowledge.probe import pick_demonstrations

CLOZE = QuestionTemplate.load(TEMPLATES / "questions" / "cloze.yaml")
# Probes of Mistral-7B by the authors of the study; not ours to ship.
PROBES = ROOT.parent / "shared" / "data" / "mistral7b-probes"


def probed(outcomes: list[bool]) -> list[dict]:
    return [
        {"id": f"q{n}", "answer": 1, "pred": 1 if right else 3, "correct": right}
        for n, right in enumerate(outcomes)
    ]


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 99))
def test_groups(outcomes, seed):
    rows = label_questions(probed(outcomes), harmonious_size="match", rng=random.Random(seed))
    by = {g: [r for r in rows if r["group"] == g] for g in ("harmonious", "incompatible")}
    own = [r for r in rows if r["group"] == "self_aligning"]
    assert [r["id"] for r in by["incompatible"]] == [r["id"] for r in own]
    assert len(own) == outcomes.count(False)
    assert len(by["harmonious"]) == min(outcomes.count(True), outcomes.count(False))
    assert all(r["label"] == r["answer"] == r["pred"] for r in by["harmonious"])
    assert all(r["label"] == r["answer"] != r["pred"] for r in by["incompatible"])
    assert all(r["label"] == r["pred"] != r["answer"] for r in own)


@pytest.mark.skipif(not PROBES.is_dir(), reason=f"the authors' probes are not at {PROBES}")
@pytest.mark.parametrize("domain", ["engineering", "history"])
def test_same_groups_and_labels_as_the_authors(domain: str):
    theirs = {
        group: {
            row["id"]: row
            for row in map(json.loads, (PROBES / f"{domain}.{group}.jsonl").open(encoding="utf-8"))
        }
        for group in ("harmonious", "incompatible", "self_aligning")
    }
    answers = [
        {key: row[key] for key in ("id", "answer", "pred", "correct")}
        for group in ("harmonious", "incompatible")
        for row in theirs[group].values()
    ]
    for row in theirs["incompatible"].values():
        # The recorded prediction is what the recorded probabilities say.
        assert row["pred"] == max(range(4), key=lambda i, p=row["probs"]: p[i])
    random.Random(0).shuffle(answers)
    rows = label_questions(answers, harmonious_size="match", rng=random.Random(0))
    ours = {g: {r["id"]: r["label"] for r in rows if r["group"] == g} for g in theirs}
    assert ours == {g: {i: r["output"] for i, r in rows.items()} for g, rows in theirs.items()}


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


def test_ratios():
    names = ["harmonious", "incompatible", "mixed_5", "mixed_80", "self_aligning"]
    assert [self_aligning_share(n) for n in names] == [None, 0, 0.05, 0.8, 1]


def test_demonstrations_depend_on_the_seed_alone():
    pool = [question(n, split="dev") for n in range(10)]
    first = pick_demonstrations(pool, 5, random.Random(42))
    assert first == pick_demonstrations(pool, 5, random.Random(42))
    assert len({q["id"] for q in first}) == 5
    with pytest.raises(UserError, match=r"numbers: 11 shots"):
        pick_demonstrations(pool, 11, random.Random(42))

"""Questions made of facts: unambiguous, with wrong options as familiar as the right one."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.data import fact_questions
from tuneatlas.data.fact_questions import (
    build_questions,
    choose_distractors,
    order_key,
    select_facts,
    shares_stem,
)
from tuneatlas.data.facts.model import Domain, Fact, Relation, attribute
from tuneatlas.errors import UserError
from tuneatlas.tables import QUESTIONS


def relation(name: str, role: str, facts: list[Fact], ordered: bool = False) -> Relation:
    return Relation(
        name=name,
        role=role,
        package="sample",
        file="a.json",
        question="What is the colour of {subject}?",
        statements=attribute("colour"),
        facts=lambda _: facts,
        share=0.2,
        ordered=ordered,
    )


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Path]:
    record = {"name": "sample", "version": "1", "licence": "CC0", "files": ["a.json"]}
    (tmp_path / "source.json").write_text(json.dumps(record))
    home = [Fact(f"thing {i:03d}", f"shade {'abcdefgh'[i % 8]}") for i in range(60)]
    related = [Fact(f"item {i:03d}", str(100 + i)) for i in range(40)]
    relations = (relation("colour", "home", home), relation("size", "related", related, True))
    monkeypatch.setitem(fact_questions.DOMAINS, "toy", Domain("toy", "toys", relations))
    return {"sample": tmp_path}


LIMITS: dict[str, Any] = {
    "dev": 5, "train": 20, "test": 10, "related_dev": 4, "related_test": 8
}  # fmt: skip


def test_rows_fit_the_table_and_the_limits(folders: Mapping[str, Path]) -> None:
    rows = build_questions("toy", folders, **LIMITS)
    QUESTIONS.build(rows)
    assert Counter((r["role"], r["split"]) for r in rows) == {
        ("home", "dev"): 5,
        ("home", "train"): 20,
        ("home", "test"): 10,
        ("related", "dev"): 4,
        ("related", "test"): 8,
    }
    assert rows[0]["source"] == "sample 1, a.json"
    assert all(r["choices"][r["answer"]] in r["explanation"] for r in rows)


def test_same_seed_same_rows_other_seed_other_rows(folders: Mapping[str, Path]) -> None:
    one, again = (build_questions("toy", folders, **LIMITS, seed=1) for _ in "ab")
    assert one == again
    assert one != build_questions("toy", folders, **LIMITS, seed=2)


def test_limits_do_not_change_the_questions_themselves(folders: Mapping[str, Path]) -> None:
    small = {r["id"]: r["choices"] for r in build_questions("toy", folders, **LIMITS)}
    large = build_questions("toy", folders, **{**LIMITS, "train": 30})
    assert small.items() <= {r["id"]: r["choices"] for r in large}.items()


def test_wrong_options_are_as_familiar_as_the_right_one(folders: Mapping[str, Path]) -> None:
    rows = build_questions("toy", folders, **LIMITS, mentioned_share=0.5)
    by_answer = {str(100 + i): f"toy/size/item-{i:03d}" for i in range(40)}
    for row in rows:
        if row["relation"] == "size":
            sides = {fact_questions.is_mentioned(by_answer[c], 0.5, 0) for c in row["choices"]}
            assert len(sides) == 1
        if row["split"] == "dev":
            assert fact_questions.is_mentioned(row["id"], 0.5, 0)


def test_too_few_questions_are_told(folders: Mapping[str, Path]) -> None:
    with pytest.raises(UserError, match=r"domain 'toy' has \d+ home questions, but 1015"):
        build_questions("toy", folders, **{**LIMITS, "train": 1000})
    with pytest.raises(UserError, match="no domain 'nowhere'"):
        build_questions("nowhere", folders)


def test_ambiguous_and_telling_facts_are_dropped() -> None:
    facts = [
        Fact("Springfield", "Ohio"),
        Fact("Springfield", "Texas"),
        Fact("Panama", "Panama City"),
        Fact("Peru", "Lima"),
    ]
    chosen = select_facts(facts, relation("r", "home", facts), random.Random(0))
    assert [f.subject for f in chosen] == ["Peru"]


def test_no_answer_takes_more_than_its_share() -> None:
    facts = [Fact(f"s{i}", "same" if i < 80 else f"a{i}") for i in range(100)]
    chosen = select_facts(facts, relation("r", "home", facts), random.Random(0))
    assert Counter(f.answer for f in chosen)["same"] == 20


@given(st.integers(0, 2**32), st.integers(0, 59))
def test_distractors_are_wrong_different_and_from_the_group(seed: int, index: int) -> None:
    facts = [
        Fact(f"s{i}", f"answer {i % 20}", "EU" if i % 20 < 10 else "AF", frozenset({"answer 3"}))
        for i in range(60)
    ]
    fact = facts[index]
    wrong = choose_distractors(fact, facts, False, random.Random(seed))
    assert len(set(wrong)) == 3
    assert fact.answer not in wrong and "answer 3" not in wrong
    assert {f.group for f in facts if f.answer in wrong} == {fact.group}


def test_the_place_of_an_ordered_answer_among_its_options_is_uniform() -> None:
    facts = [Fact(f"s{i}", f"{i} m") for i in range(100)]
    ranks = Counter()  # type: Counter[int]
    for seed in range(800):
        fact = facts[20 + seed % 60]
        wrong = choose_distractors(fact, facts, True, random.Random(seed))
        ranks[sorted([*wrong, fact.answer], key=order_key).index(fact.answer)] += 1
        assert all(abs(int(w.split()[0]) - int(fact.answer.split()[0])) <= 8 for w in wrong)
    assert all(140 < ranks[i] < 260 for i in range(4))


def test_order() -> None:
    for ordered in (["-20 °C", "-5 °C", "12 °C"], ["A9.5", "A10", "B1"], ["+7", "+44"]):
        assert sorted(reversed(ordered), key=order_key) == ordered


@pytest.mark.parametrize(
    ("subject", "answer", "shared"),
    [
        ("Guatemala", "Guatemala City", True),
        ("Algeria", "Algiers", True),
        ("São Tomé", "Sao Tome", True),
        ("France", "Paris", False),
        ("A12", "A12", False),
    ],
)
def test_shared_stems(subject: str, answer: str, shared: bool) -> None:
    assert shares_stem(subject, answer) is shared

"""Claims about facts that the corpus states, with the others as a negative control."""

from typing import Any

import pytest

from tests.unit.studies.fake_answers import LENIENT, make_study
from tuneatlas.data.mentions import facts_of
from tuneatlas.errors import UserError
from tuneatlas.report.wording import negative_summary
from tuneatlas.studies.knowledge.compare import Comparison, compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return make_study(items=24)


def compare(study: dict[str, Any], facts: str) -> Comparison:
    options = CompareOptions(draws=200, manipulation_checks=LENIENT, facts=facts)
    names = ("base_answers", "tuned_answers")
    more = {k: study[k] for k in ("mentions", "labels")}
    return compare_groups(*(study[name] for name in names), options, 7, **more)


def kept(study: dict[str, Any], facts: str) -> dict[str, Any]:
    """The study with no other questions than those, by hand."""
    tuned = {
        run: [row for row in rows if facts_of(row["id"], study["mentions"]) == facts]
        for run, rows in study["tuned_answers"].items()
    }
    return {**study, "tuned_answers": tuned}


def test_claims_are_those_of_the_questions_that_are_stated(study: dict[str, Any]):
    found, by_hand = compare(study, "mentioned"), compare(kept(study, "mentioned"), "all")
    assert found.claims == by_hand.claims and found.accuracy == by_hand.accuracy
    assert found.checks == by_hand.checks and found.null_control == by_hand.null_control
    assert found.claims != compare(study, "all").claims
    told = [
        [(row["facts"], row["items"], row["accuracy"]) for row in of.base_knowledge]
        for of in (found, compare(study, "all"))
    ]
    assert told[0] == told[1], "this tells of all facts, and of either kind"


def test_the_negative_control_is_the_claim_on_the_others(study: dict[str, Any]):
    found, by_hand = compare(study, "mentioned"), compare(kept(study, "unmentioned"), "all")
    [control] = found.negative_control
    [claim] = [r for r in by_hand.claims if r["headline"] and r["claim"] == control["claim"]]
    assert control["value"] == claim["value"] and control["items"] == claim["items"]
    assert not compare(study, "all").negative_control
    said = negative_summary(found.metrics())
    assert f"n = {control['items']} questions" in said
    assert negative_summary(compare(study, "all").metrics()) == ""


def test_how_many_training_questions_the_corpus_states(study: dict[str, Any]):
    for row in compare(study, "mentioned").group_sizes:
        ids = [r["id"] for r in study["labels"][row["domain"]] if r["group"] == row["group"]]
        assert row["mentioned"] == sum(study["mentions"][i] > 0 for i in ids)
    unknown = {**study, "mentions": {}}
    assert all("mentioned" not in row for row in compare(unknown, "all").group_sizes)


def test_claims_about_facts_of_no_corpus_are_refused(study: dict[str, Any]):
    with pytest.raises(UserError, match=r"compare_groups\.facts: mentioned.*set all"):
        compare({**study, "mentions": {}}, "mentioned")

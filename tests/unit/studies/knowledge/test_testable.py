"""Manipulation checks and the null control of the knowledge study."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.unit.studies.fake_answers import DOMAINS, LENIENT, make_study
from tuneatlas.report.wording import positive_summary
from tuneatlas.statistics.manipulation import CEILING, FLOOR, KEPT, TAUGHT
from tuneatlas.statistics.metrics import HELD, NOT_TESTABLE
from tuneatlas.studies.knowledge.compare import Comparison, compare_groups
from tuneatlas.studies.knowledge.paired_answers import Answers, CompareOptions, PairedAnswers
from tuneatlas.studies.knowledge.testable import null_control
from tuneatlas.tables import Row


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return make_study(items=24)


def compare(study: dict[str, Any], **bounds: float) -> Comparison:
    options = CompareOptions(draws=200, manipulation_checks=LENIENT | bounds)
    return compare_groups(study["base_answers"], study["tuned_answers"], options, 7)


def told(rows: list[Row], **cell: str) -> Row:
    [row] = [r for r in rows if all(r[k] == v for k, v in cell.items())]
    return row


def test_without_a_failing_check_verdicts_are_those_of_the_intervals(study: dict[str, Any]):
    found = compare(study)
    assert all(row["passed"] for row in found.checks)
    assert not any(row["verdict"] == NOT_TESTABLE for row in found.claims)
    assert not any("reason" in row for row in found.claims)


@pytest.mark.parametrize(
    ("bounds", "kind", "scopes"),
    [
        ({"kept_share": 1.0}, KEPT, {"ood", "id+ood", "all"}),
        ({"taught_margin": 0.74}, TAUGHT, {"homo", "id", "ood", "id+ood", "all"}),
        ({"floor_margin": 0.74}, FLOOR, {"homo", "id", "ood", "id+ood", "all"}),
        ({"ceiling": 0.01}, CEILING, {"homo", "id", "ood", "id+ood", "all"}),
    ],
)
def test_a_claim_is_not_testable_where_a_check_of_its_scopes_fails(
    study: dict[str, Any], bounds: dict[str, float], kind: str, scopes: set[str]
):
    lenient, found = compare(study), compare(study, **bounds)
    failed = [row for row in found.checks if not row["passed"]]
    assert {row["check"] for row in failed} == {kind}
    domains = {"all", *(row["domain"] for row in failed)}
    for row, before in zip(found.claims, lenient.claims, strict=True):
        assert (row["value"], row["low"], row["high"]) == (
            before["value"],
            before["low"],
            before["high"],
        )
        if before["verdict"] and row["scope"] in scopes and row["domain"] in domains:
            assert row["verdict"] == NOT_TESTABLE
            assert row["reason"]
        else:
            assert row["verdict"] == before["verdict"]
    # Numbers stay; only words may change.
    assert found.accuracy == lenient.accuracy


def test_a_failure_in_one_domain_is_not_one_of_another(study: dict[str, Any]):
    values = {r["domain"]: r["value"] for r in compare(study).checks if r["check"] == TAUGHT}
    weak, strong = sorted(values, key=values.__getitem__)
    margin = sum(values.values()) / 2 - 0.25
    claims = compare(study, taught_margin=margin).claims
    cell = {"claim": "incompatible_worse", "scope": "ood"}
    assert told(claims, domain=weak, **cell)["verdict"] == NOT_TESTABLE
    assert told(claims, domain=strong, **cell)["verdict"] != NOT_TESTABLE
    assert told(claims, domain="all", **cell)["verdict"] == NOT_TESTABLE


def test_every_claim_says_what_could_have_been_seen(study: dict[str, Any]):
    for row in compare(study).claims:
        if row["claim"] == "incompatible_worse":
            assert row["decidable"] == pytest.approx((row["high"] - row["low"]) * 0.7148, rel=1e-3)
        elif row["decidable"] is not None:
            assert 0 < row["decidable"] < 1


def by_chance(pairs: int, questions: int, rng: np.random.Generator) -> PairedAnswers:
    """Answers of two seeds each of ``pairs`` groups, which are the same but for chance."""
    known = rng.beta(2, 2, questions)
    ids = [f"{n:04d}" for n in range(questions)]

    def answers(chance: np.ndarray) -> list[Row]:
        right = rng.random(questions) < chance
        probs = [[0.7, 0.1, 0.1, 0.1]] * questions
        return [
            {
                "id": i,
                "domain": DOMAINS[n % 2],
                "role": "related",
                "probs": p,
                "correct": bool(c),
                "tied": 0,
            }
            for n, (i, p, c) in enumerate(zip(ids, probs, right, strict=True))
        ]

    tuned = {
        (DOMAINS[0], f"mixed_{g}", seed): answers(known) for g in range(pairs) for seed in (1, 2)
    }
    base = {DOMAINS[0]: answers(known)}
    return PairedAnswers({"m": Answers(base, tuned)}, CompareOptions(draws=400), rng)


def test_trainings_that_differ_in_the_seed_alone_hold_no_claim_beyond_the_nominal_rate():
    rows = list(null_control(by_chance(40, 300, np.random.default_rng(11)), -1))
    assert len(rows) == 40
    held = sum(row["verdict"] == HELD for row in rows)
    # At a nominal rate of 2.5 % more than this many are seen once in a hundred runs.
    assert held <= stats.binom.ppf(0.99, 40, 0.025)


def test_a_planted_difference_of_two_seeds_is_found(study: dict[str, Any]):
    rng = np.random.default_rng(3)
    answers = by_chance(1, 300, rng)
    value, draws = answers.scopes[DOMAINS[0], "id"]
    for at in ("id", "ood"):
        value, draws = answers.scopes[DOMAINS[0], at]
        value[0], draws[:, 0] = value[0] - 0.5, draws[:, 0] - 0.5
    [row] = null_control(answers, -1)
    assert row["verdict"] == HELD


def test_the_positive_control_is_found_where_it_is_trained(study: dict[str, Any]):
    assert compare(study).positive_control == []
    wrong = {
        (domain, "random_wrong", seed): [
            row | {"correct": row["correct"] and n % 3 == 0} for n, row in enumerate(rows)
        ]
        for (domain, group, seed), rows in study["tuned_answers"].items()
        if group == "harmonious"
    }
    more = study | {"tuned_answers": study["tuned_answers"] | wrong}
    found = compare(more)
    assert [row["verdict"] for row in found.positive_control] == [HELD, HELD]
    metrics = found.metrics()
    assert "seen in 2 of 2 domains" in positive_summary(metrics)
    missed = [row | {"verdict": "undecided"} for row in metrics["positive_control"]]
    assert positive_summary(metrics | {"positive_control": missed}).endswith("says nothing.")
    assert positive_summary(metrics | {"positive_control": []}) == ""


def test_every_pair_of_seeds_is_compared_in_each_domain_and_over_all(study: dict[str, Any]):
    rows = compare(study).null_control
    groups = {g for _, g, _ in study["tuned_answers"]}
    assert len(rows) == len(groups) * 3 * (2 + 1)
    assert {tuple(row["seeds"]) for row in rows} == {(1, 2), (1, 3), (2, 3)}

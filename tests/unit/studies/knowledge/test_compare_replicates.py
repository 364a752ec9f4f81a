"""Numbers over replicates are means of theirs, with items shared and pre-training in intervals."""

from typing import Any

import numpy as np
import pytest

from tests.unit.config.described import undescribed_columns
from tests.unit.studies.fake_answers import make_study
from tuneatlas.errors import UserError
from tuneatlas.studies.knowledge.claims import CONSISTENCY_TRACKS, INCOMPATIBLE_WORSE
from tuneatlas.studies.knowledge.compare import Comparison, compare_groups, compare_replicates
from tuneatlas.studies.knowledge.paired_answers import Answers, CompareOptions
from tuneatlas.tables import Row

OPTIONS = CompareOptions(draws=2000, ood_roles=("home", "related"))
HARMS = (0.4, 1.6, 1.0)


def again(study: dict[str, Any], harm: float, seed: int) -> dict[str, Any]:
    """The same questions asked of another replicate."""
    found = make_study(items=40, harm=harm, seed=seed)
    answer = {r["id"]: r["answer"] for rows in study["base_answers"].values() for r in rows}
    for rows in (*found["base_answers"].values(), *found["tuned_answers"].values()):
        for row in rows:
            row |= {"answer": answer[row["id"]], "correct": row["pred"] == answer[row["id"]]}
    return found


@pytest.fixture(scope="module")
def studies() -> dict[str, dict[str, Any]]:
    first = make_study(items=40, harm=HARMS[0])
    return {
        "m-0": first,
        **{f"m-{n}": again(first, harm, n) for n, harm in enumerate(HARMS) if n},
    }


def compare(studies: dict[str, dict[str, Any]]) -> Comparison:
    return compare_replicates(
        {name: Answers(own["base_answers"], own["tuned_answers"]) for name, own in studies.items()},
        OPTIONS,
        7,
        mentions=studies["m-0"]["mentions"],
        labels={name: own["labels"] for name, own in studies.items()},
    )


@pytest.fixture(scope="module")
def together(studies: dict[str, dict[str, Any]]) -> Comparison:
    return compare(studies)


@pytest.fixture(scope="module")
def alone(studies: dict[str, dict[str, Any]]) -> list[Comparison]:
    return [
        compare_replicates(
            {name: Answers(own["base_answers"], own["tuned_answers"])},
            OPTIONS,
            7,
            mentions=studies["m-0"]["mentions"],
            labels={name: own["labels"]},
        )
        for name, own in studies.items()
    ]


def key(row: Row) -> tuple[Any, ...]:
    names = ("claim", "domain", "scope", "group", "seed", "facts")
    return tuple(row.get(name) for name in names)


def test_estimates_are_means_over_replicates(together: Comparison, alone: list[Comparison]):
    for table, value in (
        ("accuracy", "accuracy"),
        ("claims", "value"),
        ("base_knowledge", "accuracy"),
    ):
        singles = [{key(row): row for row in getattr(one, table)} for one in alone]
        for row in getattr(together, table):
            if row.get("replicate") or row.get("claim") == CONSISTENCY_TRACKS:
                continue
            each = [own[key(row)][value] for own in singles]
            assert row[value] == pytest.approx(np.mean(each)), (table, key(row))
            assert row["replicates"] == 3
            assert row.get("per_replicate", each) == pytest.approx(each)


def test_every_column_is_in_the_docs(together: Comparison, alone: list[Comparison]):
    for comparison in (together, *alone):
        assert undescribed_columns("compare_groups", comparison.metrics()) == []


def test_each_run_of_each_replicate_is_told(together: Comparison, alone: list[Comparison]):
    singles = [{key(row): row for row in one.accuracy} for one in alone]
    rows = [row for row in together.accuracy if row.get("replicate")]
    assert len(rows) == sum(row["seed"] != "all" for one in alone for row in one.accuracy)
    for row in rows:
        own = singles[int(row["replicate"][-1])][key(row)]
        for name in ("accuracy", "gain", "kl", "consistency", "base", "ties", "items"):
            assert row[name] == pytest.approx(own[name]), name
        assert row["accuracy_low"] is None


def test_group_sizes_are_means(together: Comparison, alone: list[Comparison]):
    for number, row in enumerate(together.group_sizes):
        each = [one.group_sizes[number]["questions"] for one in alone]
        assert row["questions"] == pytest.approx(np.mean(each))


def test_a_correlation_is_that_of_each_replicate(together: Comparison, alone: list[Comparison]):
    def headline(one: Comparison) -> Row:
        return next(r for r in one.claims if r["claim"] == CONSISTENCY_TRACKS and r["headline"])

    found, each = headline(together), [headline(one) for one in alone]
    assert found["per_replicate"] == pytest.approx([one["value"] for one in each])
    assert found["clusters"] == each[0]["clusters"]
    assert found["high"] - found["low"] > min(one["high"] - one["low"] for one in each)


def test_replicates_that_differ_widen_the_interval(
    studies: dict[str, dict[str, Any]], together: Comparison
):
    """Against replicates that answer alike, whose mean is as sure as one is."""
    same = compare({f"m-{n}": studies["m-0"] for n in range(3)})

    def width(one: Comparison) -> float:
        [row] = [r for r in one.claims if r["claim"] == INCOMPATIBLE_WORSE and r["headline"]]
        return float(row["high"] - row["low"])

    assert width(together) > 1.5 * width(same)


def test_one_replicate_is_the_model_as_it_was(studies: dict[str, dict[str, Any]]):
    own = studies["m-0"]
    named = {"mentions": own["mentions"], "labels": own["labels"]}
    plain = compare_groups(own["base_answers"], own["tuned_answers"], OPTIONS, 7, **named).metrics()
    one = compare_replicates(
        {"m-0": Answers(own["base_answers"], own["tuned_answers"])},
        OPTIONS,
        7,
        mentions=own["mentions"],
        labels={"m-0": own["labels"]},
    ).metrics()
    assert {k: v for k, v in one.items() if k != "design"} == {
        k: v for k, v in plain.items() if k != "design"
    }
    assert not any("replicate" in r or "per_replicate" in r for r in plain["accuracy"])


def test_a_share_stays_a_share(together: Comparison):
    for row in together.accuracy:
        if row["accuracy_low"] is not None:
            assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 1


def test_replicates_that_were_asked_other_questions_are_refused(studies: dict[str, dict[str, Any]]):
    fewer = make_study(items=30)
    with pytest.raises(UserError, match="replicates m-1 and m-0 were not asked the same"):
        compare({"m-0": studies["m-0"], "m-1": fewer})

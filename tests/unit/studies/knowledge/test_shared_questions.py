"""A question that stands in two domains of a study counts as one, in every number of it."""

from typing import Any

import numpy as np
import pytest

from tests.unit.studies.fake_answers import make_study
from tuneatlas.statistics.metrics import plain
from tuneatlas.studies.knowledge.claims import CONSISTENCY_TRACKS, INCOMPATIBLE_WORSE
from tuneatlas.studies.knowledge.compare import Comparison, compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.studies.knowledge.shared_questions import find_shared
from tuneatlas.tables import Row

OPTIONS = CompareOptions(draws=400, ood_roles=("home", "related"))
TUNED = ("chemistry", "geography")


def asked(study: dict[str, Any], copied: float = 0.0) -> dict[str, list[Row]]:
    """QUESTIONS rows of a study, in which geography has a part of the texts of chemistry."""
    return {
        domain: [
            {
                "id": row["id"],
                "domain": domain,
                "role": row["role"],
                "question": _text(n, len(rows), domain, copied),
                "choices": list("wxyz"),
                "answer": row["answer"],
            }
            for n, row in enumerate(rows)
        ]
        for domain, rows in study["base_answers"].items()
    }


def _text(number: int, rows: int, domain: str, copied: float) -> str:
    copy = domain == "geography" and number < copied * rows
    return f"{'chemistry' if copy else domain} {number}"


def doubled(study: dict[str, Any]) -> dict[str, Any]:
    """A study in which geography is chemistry once more: questions, answers and models."""

    def renamed(rows: list[Row]) -> list[Row]:
        return [
            row | {"id": row["id"].replace("chemistry", "geography"), "domain": "geography"}
            for row in rows
        ]

    base = {"chemistry": study["base_answers"]["chemistry"]}
    base["geography"] = renamed(base["chemistry"])
    tuned = {}
    for (domain, group, seed), rows in study["tuned_answers"].items():
        if domain == "chemistry":
            mine = [row for row in rows if row["domain"] == "chemistry"]
            for name in TUNED:
                tuned[name, group, seed] = [*mine, *renamed(mine)]
    return {"base_answers": base, "tuned_answers": tuned}


def compare(study: dict[str, Any], questions: dict[str, list[Row]] | None) -> Comparison:
    return compare_groups(
        study["base_answers"], study["tuned_answers"], OPTIONS, 7, questions=questions
    )


def row_of(comparison: Comparison, claim: str, domain: str = "all", scope: str = "all") -> Row:
    [row] = [
        row
        for row in comparison.claims
        if (row["claim"], row["domain"], row["scope"]) == (claim, domain, scope)
    ]
    return row


def width(row: Row) -> float:
    return float(row["high"] - row["low"])


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return make_study(items=40)


def test_without_a_shared_question_nothing_changes(study: dict[str, Any]) -> None:
    assert compare(study, asked(study)).metrics() == compare(study, None).metrics()


def test_a_domain_that_is_another_once_more_adds_nothing(study: dict[str, Any]) -> None:
    """All of its questions are the other's: pooled over both, intervals are those of one."""
    both = doubled(study)
    questions = asked(both, copied=1)
    found = compare(both, questions)
    for scope in ("homo", "id", "ood"):
        pooled = row_of(found, INCOMPATIBLE_WORSE, scope=scope)
        single = row_of(found, INCOMPATIBLE_WORSE, "chemistry", scope)
        assert pooled["value"] == pytest.approx(single["value"])
        # The seeds of the two are runs of their own; the questions are the same.
        assert width(pooled) > 0.75 * width(single)
        naive = row_of(compare(both, None), INCOMPATIBLE_WORSE, scope=scope)
        assert width(naive) < width(pooled)
    away = [cell for cell in found.accuracy if cell["scope"] == "ood" and cell["group"] == "base"]
    home = [cell for cell in found.accuracy if cell["scope"] != "ood" and cell["group"] == "base"]
    assert len(away) == 2 and len(home) == 4
    assert found.design["repeated_items"] == found.design["items"] // 2
    assert found.design["joined_domains"] == [list(TUNED)]


def test_settings_of_one_piece_count_once(study: dict[str, Any]) -> None:
    row = row_of(compare(study, asked(study, copied=0.6)), CONSISTENCY_TRACKS)
    apart = row_of(compare(study, asked(study, copied=0.4)), CONSISTENCY_TRACKS)
    assert (row["clusters"], apart["clusters"]) == (6, 12)
    assert (row["value"], row["points"]) == (apart["value"], apart["points"])
    assert width(row) > width(apart)


def test_a_group_that_one_domain_of_a_piece_lacks_stands_alone(study: dict[str, Any]) -> None:
    some = study | {
        "tuned_answers": {
            run: rows
            for run, rows in study["tuned_answers"].items()
            if run[:2] != ("geography", "mixed_20")
        }
    }
    row = row_of(compare(some, asked(study, copied=1)), CONSISTENCY_TRACKS)
    assert row["clusters"] == 6
    assert 0 < row["p"] <= 1


@pytest.mark.parametrize(
    ("copied", "joined"), [(0.0, False), (0.4, False), (0.6, True), (1.0, True)]
)
def test_domains_are_one_that_share_most_questions(
    study: dict[str, Any], copied: float, joined: bool
) -> None:
    shared = find_shared(asked(study, copied))
    assert shared.piece("geography") == (TUNED if joined else ("geography",))
    assert shared.piece("chemistry") == (TUNED if joined else ("chemistry",))
    assert shared.piece("people") == ("people",)


def test_most_is_of_the_smaller_domain_and_joins_through_a_third() -> None:
    def rows(domain: str, numbers: range, role: str = "home") -> list[Row]:
        return [
            {
                "id": f"{domain}/{n}",
                "domain": domain,
                "role": role,
                "question": f"{n}?",
                "choices": ["a", "b", "c", "d"],
                "answer": 0,
            }
            for n in numbers
        ]

    # The texts are the same, the options are not.
    other = [row | {"choices": [*"abc", "e"]} for row in rows("other", range(100))]
    shared = find_shared(
        {
            "law": rows("law", range(100)),
            "history": rows("history", range(45, 300)),
            "politics": rows("politics", range(290, 305)),
            "related": rows("related", range(100), "related"),
            "other": other,
        }
    )
    assert shared.piece("law") == ("history", "law", "politics") == shared.piece("politics")
    assert shared.piece("related") == ("related",)
    assert shared.piece("other") == ("other",)
    assert shared.content("law/60") == shared.content("history/60") != shared.content("law/61")
    assert shared.content("other/60") not in (shared.content("law/60"), shared.content("other/61"))
    assert shared.repeated(["law/60", "history/60", "law/61", "unknown", "none"]) == 1


def test_a_question_asked_twice_in_one_domain_is_drawn_once(study: dict[str, Any]) -> None:
    """Probed twice with one answer, it widens the interval of the base model's accuracy."""
    answers = study["base_answers"]["words"]
    again = [row | {"id": row["id"] + "-2"} for row in answers]
    base = study["base_answers"] | {"words": [*answers, *again]}
    questions = asked(study)
    questions["words"] += [row | {"id": row["id"] + "-2"} for row in questions["words"]]
    once, twice, naive = (
        next(
            row
            for row in compare(study | {"base_answers": rows}, asked_rows).base_knowledge
            if row["domain"] == "words"
        )
        for rows, asked_rows in (
            (study["base_answers"], asked(study)),
            (base, questions),
            (base, None),
        )
    )
    widths = [row["accuracy_high"] - row["accuracy_low"] for row in (once, twice, naive)]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)
    assert widths[2] < 0.85 * widths[0]
    assert np.isfinite(plain(twice)["accuracy"])

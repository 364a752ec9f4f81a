"""Manipulation checks: what passes at its bound, and the words for what does not."""

import pytest

from tuneatlas.statistics.manipulation import (
    CEILING,
    FLOOR,
    KEPT,
    MEANINGS,
    Bounds,
    base_checks,
    check,
    reasons,
)
from tuneatlas.statistics.metrics import HELD, NOT_TESTABLE, verdict

WHERE = {"domain": "law", "scope": "ood", "group": "harmonious"}


@pytest.mark.parametrize(("value", "passed"), [(0.8 * 0.5, True), (0.39, False), (0.5, True)])
def test_what_reaches_its_bound_passes(value: float, passed: bool):
    assert check(KEPT, WHERE, value, least=0.4)["passed"] is passed


@pytest.mark.parametrize(
    ("base", "failed"), [(0.29, [FLOOR]), (0.3, []), (0.95, []), (0.96, [CEILING])]
)
def test_a_base_model_is_away_from_floor_and_ceiling(base: float, failed: list[str]):
    rows = base_checks({"group": "base"}, base, 0.25, Bounds())
    assert [row["check"] for row in rows if not row["passed"]] == failed
    assert len(reasons(rows)) == len(failed)


def test_reasons_say_where_what_was_seen_and_what_was_asked_for():
    failed = check(KEPT, WHERE, 0.31, least=0.4)
    assert reasons([failed, check(KEPT, WHERE, 0.5, least=0.4)]) == [
        f"{MEANINGS[KEPT]} (HARMONIOUS: law OOD 31.0% where 40.0% was asked for)"
    ]
    both = reasons([failed, failed | {"domain": "art"}])
    assert len(both) == 1
    assert "law OOD" in both[0]
    assert "art OOD" in both[0]


def test_no_interval_says_anything_where_a_check_fails():
    assert verdict(0.1, 0.2, 1) == HELD
    assert verdict(0.1, 0.2, 1, ["why"]) == NOT_TESTABLE

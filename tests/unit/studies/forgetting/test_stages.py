"""Tests and transitions by scope: gains at home hide losses elsewhere; and what p is of."""

from typing import Any

import numpy as np
import pytest

from tests.unit.studies.forgetting.followed_runs import ITEMS, OPTIONS, OVERLAP, SEEDS, rows_of
from tuneatlas.audit.terms import blocks_of
from tuneatlas.report.forgetting import stages_part
from tuneatlas.statistics.tests import holm
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.fates import ACTUAL, NONE
from tuneatlas.studies.forgetting.stages import FAMILIES
from tuneatlas.studies.forgetting.tables import Cell, StageTable

STEPS = (4, 16)
NUMBERS = np.arange(ITEMS)
HOME = (NUMBERS % 2 == 1) & (NUMBERS % 3 > 0)
OTHER = NUMBERS % 2 == 0
BEFORE = ~HOME


def made(cells: dict[Cell, np.ndarray]) -> StageTable:
    found: tuple[dict[int, list], dict[int, list]] = ({}, {})
    for seed in SEEDS:
        for part in found:
            part[seed] = []
        for cell, right in cells.items():
            for part, rows in zip(found, rows_of(cell, right, seed), strict=True):
                part[seed] += rows
    return StageTable("a run", *found)


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """At the last step 30 questions are won at home, and 30 lost in the other domain."""
    changed = BEFORE.copy()
    changed[np.flatnonzero(HOME)[:30]] = True
    changed[np.flatnonzero(OTHER)[:30]] = False
    base = made({Cell("base", 0, percent): BEFORE for percent in (0, 50, 100)})
    cells = {
        Cell("stages", step, percent): changed if step == 16 else BEFORE
        for step in STEPS
        for percent in (0, 50, 100)
    }
    runs = {("countries", group): made(cells) for group in ("incompatible", "harmonious")}
    return stage_forgetting(base, runs, OVERLAP, OPTIONS, seed=1).metrics()


def of(rows: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_gains_at_home_hide_losses_elsewhere(metrics: dict[str, Any]):
    assert {row["stage"] for row in metrics["stages"]} == {NONE}
    assert not any(row["seen"] for row in metrics["transitions"])
    stages = of(metrics["scoped_stages"], group="incompatible", step=16)
    assert {row["scope"]: row["stage"] for row in stages} == {
        "homo": NONE,
        "id": NONE,
        "ood": ACTUAL,
    }
    (ood,) = of(stages, scope="ood")
    assert ood["per_seed"] == [ACTUAL] * len(SEEDS)
    seen = of(metrics["scoped_transitions"], seed="all", reference="base model", seen=True)
    assert {(row["scope"], row["step"]) for row in seen} == {("ood", 16)}
    part = stages_part(metrics, "there")
    assert all("No transition seen" in run.sentence for run in part.runs)
    assert "corrected over all runs too" in part.corrections
    assert all("out of the domain (OOD) from step 16 on" in run.scopes for run in part.runs)


def test_scopes_divide_the_questions(metrics: dict[str, Any]):
    (whole,) = {row["n"] for row in metrics["tests"]}
    for row in metrics["tests"]:
        same = {key: row[key] for key in ("group", "setting", "step", "comparison")}
        parts = of(metrics["scoped_tests"], **same)
        for count in ("lost", "gained", "n"):
            assert sum(part[count] for part in parts) == row[count]
        mean = sum(part["value"] * part["n"] for part in parts) / whole
        assert mean == pytest.approx(row["value"], abs=1e-5)


def test_no_question_is_in_two_scopes_whatever_the_roles():
    table = made({Cell("base", 0, 0): BEFORE})
    for roles in ((), ("home",), ("related",), ("home", "related")):
        _, *parts = table.scopes("countries", roles)
        held = np.sum([chosen for _, chosen in parts], axis=0)
        blocks = blocks_of(["countries", "elements"], {"ood_roles": roles})
        wanted = {b for scope in ("homo", "id", "ood") for b in blocks("countries", scope)}
        assert held.tolist() == [int("/".join(place) in wanted) for place in table.roles]


@pytest.mark.parametrize("table", ["tests", "scoped_tests"])
def test_p_is_corrected_over_the_stated_family(metrics: dict[str, Any], table: str):
    assert metrics["design"]["corrected_over"].keys() == FAMILIES.keys()
    for comparison in {row["comparison"] for row in metrics[table]}:
        for group in ("incompatible", "harmonious"):
            family = of(metrics[table], comparison=comparison, group=group)
            assert len(family) == len(STEPS) * (3 if table == "scoped_tests" else 1)
            again = holm([row["p"] for row in family])
            assert [row["p_corrected"] for row in family] == pytest.approx(again, abs=1e-5)
        (said,) = of(metrics["corrections"], table=table, comparison=comparison)
        rows = of(metrics[table], comparison=comparison)
        assert (said["families"], said["tests"]) == (2, len(rows))
        assert said["below_over_runs"] <= said["below_corrected"] <= said["below"]
        assert said["below_corrected"] == sum(row["p_corrected"] <= 0.05 for row in rows)


def test_chance_adjusted_changes_stand_beside_ours(metrics: dict[str, Any]):
    rows = of(metrics["chance_adjusted"], group="incompatible", step=16)
    assert len(rows) == 3 * 4 * 2
    row = {r["scope"]: r for r in of(rows, comparison="base to restored", change="forgetting")}
    assert row["ood"]["raw"] == pytest.approx(30 / OTHER.sum(), abs=1e-5)
    assert row["all"]["raw"] == pytest.approx(30 / ITEMS, abs=1e-5)
    for found in rows:
        assert 0 <= found["value"] <= found["raw"]
        assert found["value"] == pytest.approx(max(0, found["raw"] - found["by_chance"]), abs=1e-5)
        assert found["known_low"] <= found["known_value"] <= found["known_high"]
    fates = of(metrics["fates"], group="incompatible", step=16)
    lost = [r["known_value"] for r in fates if r["fate"] in ("lost_in_restoration",
            "actually_forgotten")]  # fmt: skip
    assert row["all"]["known_value"] == pytest.approx(sum(lost), abs=1e-5)

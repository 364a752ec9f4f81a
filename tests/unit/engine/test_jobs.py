"""The jobs of an experiment, and what differs from the records of what was run."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.workflow.plans import planned
from tuneatlas.engine.jobs import differences, read_plan
from tuneatlas.errors import UserError


def test_the_plan_of_an_experiment_is_read_from_the_workflow():
    configs = [ROOT / "config/smoke.yaml"]
    found, here = ({str(j): vars(j) for j in plan(ROOT, configs)} for plan in (read_plan, planned))
    assert found == here and len(found) > 30


def test_an_experiment_that_cannot_be_planned_is_told_by_line(tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_text(f"include: {ROOT / 'config/smoke.yaml'}\nsedes: [1]\n")
    with pytest.raises(UserError, match=r"cannot be planned: .*bad.yaml:2: sedes: unknown key"):
        read_plan(ROOT, [path])
    with pytest.raises(UserError, match=r"holds no workflow/plan.py"):
        read_plan(tmp_path, [path])


def test_differences_name_the_key_below_which_they_lie():
    found = [str(c) for c in differences({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "d": 1}, "s")]
    assert found == [
        "s.a.b: was 1, is 2",
        "s.c: was 1, is (not there)",
        "s.d: was (not there), is 1",
    ]

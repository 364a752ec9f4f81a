"""Weights let go in a finished run: they are gone, their records say so, and all else stands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.small_results import make_results, rewrite
from tuneatlas.audit.checks import run_checks
from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.reasons import reasons
from tuneatlas.cli import clean_weights, main
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.records import record_path

TUNED = "results/finetune/mini/numbers/mixed_40/0"
TESTED = "results/evaluate_knowledge/mini/numbers/mixed_40/0.parquet"
CONFIG = ROOT / "config/smoke.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_results(tmp_path, ROOT)
    return tmp_path


def plan(project: Path) -> list[Job]:
    """The plan that the records come from."""
    return [
        Job(r["step"], r["wildcards"], tuple(r["inputs"]), (n,), r["options"], r["params"], False)
        for n, r in read_results(project / "results").records.items()
    ]


def clean(project: Path, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(clean_weights, "working_folder", lambda configs, root: root)
    monkeypatch.setattr(clean_weights, "read_plan", lambda root, configs, folder: jobs)
    return main(["clean-weights", "--root", str(project), "--config", str(CONFIG)])


def test_weights_go_and_the_run_is_as_whole_as_before(project: Path, monkeypatch, capsys):
    jobs = plan(project)
    before = json.loads(record_path(project / TUNED).read_text())
    others = {path for path in (project / "results").rglob("*") if TUNED not in str(path)}
    assert clean(project, jobs, monkeypatch) == 0
    assert "1 models were let go, 0.00 GB" in capsys.readouterr().out
    assert not (project / TUNED).exists()
    left = {path for path in (project / "results").rglob("*") if TUNED not in str(path)}
    assert left == others
    after = json.loads(record_path(project / TUNED).read_text())
    assert after.pop("let_go")["keep"] == "weights"
    assert {**after, "seal": ""} == {**before, "seal": ""}
    results = read_results(project / "results")
    assert list(run_checks(results)) == []
    assert list(results.let_go) == [TUNED]
    assert reasons(jobs, results) == []
    assert clean(project, jobs, monkeypatch) == 0
    assert "0 models were let go" in capsys.readouterr().out


@pytest.mark.parametrize("lacks", ["file", "record", "other weights", "due"])
def test_weights_stay_that_something_is_yet_to_read(project: Path, monkeypatch, capsys, lacks: str):
    jobs = plan(project)
    if lacks == "file":
        (project / TESTED).unlink()
    elif lacks == "record":
        record_path(project / TESTED).unlink()
    elif lacks == "other weights":
        inputs = json.loads(record_path(project / TESTED).read_text())["inputs"]
        rewrite(project / "results", TESTED, inputs={**inputs, TUNED: "0" * 64})
    else:
        jobs = [replace(job, due=job.step == "evaluate_knowledge") for job in jobs]
    assert clean(project, jobs, monkeypatch) == 0
    assert "1 models stay" in capsys.readouterr().out
    assert (project / TUNED / "model.safetensors").exists()


def test_a_run_at_work_is_not_disturbed(project: Path, monkeypatch, capsys):
    locks = project / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("x")
    assert clean(project, plan(project), monkeypatch) == 2
    assert "a run is at work here" in capsys.readouterr().err
    assert (project / TUNED).exists()


def test_the_audit_takes_a_records_word_only_for_what_was_let_go(project: Path, monkeypatch):
    clean(project, plan(project), monkeypatch)
    results = read_results(project / "results")
    assert results.content(TUNED).sha256 == results.records[TUNED]["sha256"]
    rewrite(project / "results", TUNED, let_go=None)
    results = read_results(project / "results")
    assert results.let_go == {} and results.content(TUNED) is None
    assert list(run_checks(results)) != []

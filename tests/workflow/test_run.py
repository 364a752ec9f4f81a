"""Real runs of the whole workflow at its smallest size, in copies of the project."""

import shutil
from pathlib import Path

from tests.examples import ROOT
from tests.workflow.compare_results import contents, differences
from tests.workflow.finished_run import CONFIG, copy_project, run
from tests.workflow.peer_scores import compare


def test_the_whole_workflow_ends_in_a_report(finished: Path):
    page = (finished / "results/report/index.html").read_text(encoding="utf-8")
    assert "claim" in page and "<svg" in page
    assert "http" not in "".join(part.split('"')[0] for part in page.split('src="')[1:])


def test_a_second_run_rebuilds_nothing(finished: Path):
    done = run(finished)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_run_in_another_folder_gives_the_same_bytes(finished: Path, tmp_path: Path):
    other = copy_project(tmp_path / "elsewhere")
    done = run(other)
    assert done.returncode == 0, done.stdout + done.stderr
    assert differences(finished / "results", other / "results") == []
    assert len(contents(other / "results")) > 50


def test_scores_equal_lm_evaluation_harness(finished: Path):
    """Of every option of every question that the base model was probed on."""
    results = finished / "results"
    lines = compare(
        results / "prepare_base/mini",
        results / "probe_knowledge/mini",
        results / "prepare_questions",
        ROOT / "config/templates/questions/cloze.yaml",
    )
    assert len(lines) == 2


def test_nothing_but_outputs_and_records_is_left(finished: Path):
    """No half-written file, no checkpoint, no work folder once the outputs stand."""
    hidden = [p for p in (finished / "results").rglob(".*") if p.name != ".snakemake_timestamp"]
    assert hidden == []


def test_a_config_mistake_is_one_message_before_the_first_job(finished: Path, tmp_path: Path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        f"include: {finished / CONFIG}\nfinetune:\n  epochz: 3\nprobe_knowledge:\n  shots: many\n",
        encoding="utf-8",
    )
    done = run(finished, config=str(bad))
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{bad}:3: finetune.epochz: unknown key; did you mean 'epochs'?" in shown
    assert f"{bad}:5: probe_knowledge.shots" in shown
    assert "Traceback" not in shown


def test_a_torn_weight_file_is_named(finished: Path, tmp_path: Path):
    project = tmp_path / "torn"
    shutil.copytree(finished, project, symlinks=True)
    weights = project / "results/prepare_base/mini/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = run(project, "--forcerun", "probe_knowledge", "--until", "probe_knowledge")
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert "results/prepare_base/mini/model.safetensors is truncated or damaged" in shown
    assert "Traceback (most recent call last)" not in shown

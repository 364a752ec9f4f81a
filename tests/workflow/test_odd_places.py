"""Runs from another folder, in folders of odd names and in a container, planned or refused."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.workflow.finished_run import CONFIG, SNAKEMAKE, copy_project
from tuneatlas.config.naming import command
from tuneatlas.engine.run_folders import ran_in


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in a folder with what a shell, make or a link might misread."""
    return copy_project(tmp_path_factory.mktemp("odd") / "a b'ü\"#$x")


def plan(folder: Path, *words: str | Path, **more: str) -> str:
    done = subprocess.run(
        [SNAKEMAKE, "--dry-run", *words],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_run_in_another_folder_takes_templates_and_scripts_from_the_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is started as the report says that it was."""
    (tmp_path / "own.yaml").write_text(f"include: {json.dumps(str(project / CONFIG))}\n")
    monkeypatch.chdir(tmp_path)
    told = command([Path("own.yaml")], project)
    assert told.startswith("snakemake ")
    script = f"{SNAKEMAKE}{told.removeprefix('snakemake')} --dry-run --quiet all"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".snakemake", "own.yaml"]


def test_what_a_run_cannot_be_started_with_is_said_first(project: Path, tmp_path: Path):
    # In place of the program, which the engine asks for its version.
    (tmp_path / "apptainer").write_text("#!/bin/sh\necho apptainer version 1.3.0\n")
    (tmp_path / "apptainer").chmod(0o755)
    tools = f"{tmp_path}:{os.environ['PATH']}"
    said = plan(project, "--software-deployment-method", "apptainer", "--cores", "1", PATH=tools)
    assert "envs/tuneatlas.sif: there is no such container image: build it" in said
    said = plan(
        tmp_path,
        *("--software-deployment-method", "apptainer", "--cores", "1"),
        *("--snakefile", project / "Snakefile", "--configfile", project / CONFIG),
        PATH=tools,
    )
    assert "takes no container image by a path with blanks" in said


def test_a_run_that_is_refused_leaves_no_note_of_its_experiment(project: Path):
    """By the note, its next run would work among the results of another."""
    config = project / "refused.yaml"
    config.write_text(f"include: {CONFIG}\nname: refused\nfetch_source: {{mirror: nowhere}}\n")
    done = subprocess.run(
        [SNAKEMAKE, "--cores", "1", "--configfile", config.name],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode and "there is no folder nowhere" in done.stdout + done.stderr
    assert ran_in(project) == ("", [])

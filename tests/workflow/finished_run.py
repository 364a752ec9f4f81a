"""A copy of the project and a finished run of its smallest experiment, for several test files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
PARTS = ("Snakefile", "workflow", "config", "profiles", "src", "envs")
CONFIG = "config/smoke.yaml"


def copy_project(folder: Path) -> Path:
    """The project without anything that it made."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / part, ignore=skip)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    return folder


def environment(project: Path) -> dict[str, str]:
    # The copy's own package, so that an edit to it is what runs.
    return os.environ | {"PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1"}


def run(project: Path, *arguments: str, config: str = CONFIG) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SNAKEMAKE, "--configfile", config, *arguments],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; TUNEATLAS_FINISHED_RUN names one that is there, to save the minutes."""
    if given := os.environ.get("TUNEATLAS_FINISHED_RUN"):
        return Path(given)
    project = copy_project(tmp_path_factory.mktemp("first") / "project")
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project

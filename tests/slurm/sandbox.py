"""Talking to the sandbox cluster, and driving the workflow through it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workflow.finished_run import SNAKEMAKE, copy_project

HERE = Path(__file__).parent
CLUSTER = HERE / "cluster.sh"
CONFIG = "config/smoke.yaml"
# A site's 10 s are for the controller's sake; the sandbox has none but us.
QUICK = ("--slurm-init-seconds-before-status-checks", "4", "--jobs", "8")


def cluster(*words: str) -> subprocess.CompletedProcess[str]:
    """Run cluster.sh."""
    return subprocess.run([CLUSTER, *words], capture_output=True, text=True, check=False)


def ask(*command: str) -> str:
    """The output of a Slurm command; empty if it failed."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def environment(project: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(project / "src"),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def driver_command(*arguments: str, config: str = CONFIG) -> list[str]:
    """The workflow through Slurm, with the profile as it is shipped."""
    return [
        str(SNAKEMAKE),
        "--profile=profiles/slurm",
        f"--configfile={config}",
        *QUICK,
        *arguments,
    ]


def start(project: Path, *arguments: str, config: str = CONFIG) -> subprocess.Popen[str]:
    """A driver in the background; its words go to driver.log."""
    with (project / "driver.log").open("a") as log:
        return subprocess.Popen(
            driver_command(*arguments, config=config),
            cwd=project,
            env=environment(project),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell's background job ignores Ctrl-C, and what it starts does too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def run(project: Path, *arguments: str, config: str = CONFIG) -> tuple[int, str]:
    """Exit code and words of a driver."""
    done = subprocess.run(
        driver_command(*arguments, config=config),
        cwd=project,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something that Slurm does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {seconds:.0f} s")
        time.sleep(0.5)


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """Three nodes; tests are skipped, with the reason, where Slurm cannot be had."""
    there = shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True).returncode == 0
    if not there:
        done = cluster("up")
        if done.returncode:
            pytest.skip(f"no Slurm here: {done.stderr.strip()}")
    yield
    if not there:
        subprocess.run([CLUSTER, "down"], check=True)


@pytest.fixture
def project(slurm: None, tmp_path: Path) -> Path:
    """A copy of the project, on storage that all nodes share."""
    return copy_project(tmp_path / "project")

"""The Makefile: which files it hands on, and what it refuses before it makes an environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.examples import ROOT

# In place of the environment's programs: print each argument in brackets.
STUB = """#!/bin/sh
if [ "$1" = folder ]; then echo runs/one; exit; fi
printf "%s" "${0##*/}"; for word; do printf "[%s]" "$word"; done; echo
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the Makefile with an environment of stand-ins, in a folder of plain letters."""
    folder = tmp_path / "project"
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    (folder / "envs").mkdir()
    for name in ("Makefile", "envs/lock.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("snakemake", "tuneatlas"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    (folder / ".venv/ready").touch()
    os.utime(folder / "envs/lock.txt", (0, 0))
    return folder


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Were an environment begun, it would fail at once.
    return subprocess.run(
        ["make", "PYTHON=/bin/false", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize(
    "names",
    [["one.yaml"], ["a b.yaml", "c.yaml"], ["it's.yaml", "ü.yaml"], ['"q".yaml', "$x.yaml"]],
)
def test_config_files_are_handed_on_whole_and_in_order(project: Path, names: list[str]):
    from tuneatlas.config.naming import command

    for name in names:
        (project / name).touch()
    here = Path.cwd()
    os.chdir(project)
    try:
        told = command([Path(name) for name in names], project)
    finally:
        os.chdir(here)
    files = "".join(f"[{name}]" for name in names)
    assert f"[--configfile]{files}[--directory][runs/one][--][all]" in given(project, told)
    files = "".join(f"[--config][{name}]" for name in names)
    assert f"tuneatlas[why]{files}\n" == given(project, told.replace("run", "why", 1))


def given(folder: Path, command: str) -> str:
    """What the programs were given by a command that a shell runs."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "[power][config/config.yaml]"),
        (("CONFIG=a.yaml b.yaml", "DEVICE=cpu"), "[power][a.yaml][b.yaml][--device][cpu]"),
        (("PILOT=it's here",), "[power][config/config.yaml][--pilot][it's here]"),
    ],
)
def test_power_hands_on_the_pilot_and_a_device_that_is_named(
    project: Path, words: tuple[str, ...], expected: str
):
    assert make(project, "power", *words).stdout == f"tuneatlas{expected}\n"


def test_a_simulation_is_asked_for_with_what_is_named(project: Path):
    told = make(project, "simulate", "GPUS=8 64", "PREEMPTED_EVERY=12", "CONFIG=a.yaml").stdout
    expected = "[simulate][a.yaml][--device][a100-80][--gpus][8][64][--preempted-every][12]"
    assert told == f"tuneatlas{expected}\n"


def test_a_run_is_watched_by_its_config(project: Path):
    (project / "a.yaml").touch()
    told = make(project, "watch", "CONFIG=a.yaml").stdout
    assert told == "tuneatlas[watch][--config][a.yaml]\n"
    told = make(project, "watch", "CONFIG=a.yaml", "TARGET=s3").stdout
    assert told == "tuneatlas[watch][--config][a.yaml][compare_paraphrases]\n"


def test_a_run_ends_with_what_to_look_at_in_its_own_folder(project: Path):
    (project / "results.yaml").touch()
    done = make(project, "run", "CONFIG=results.yaml", "TARGET=s1")
    assert done.stdout.endswith(
        "Done. Tables and figures are in runs/one/results/compare_groups; "
        "make run CONFIG=results.yaml adds the report.\n"
    )
    done = make(project, "diagnose", "BASE=it's b", "TUNED=t")
    assert "tuneatlas[diagnose][--base][it's b][--output][config/diagnosed.yaml]" in done.stdout
    assert "[--directory][runs/one][--][all]" in done.stdout
    assert "Open runs/one/results/report/index.html in a browser" in done.stdout


def test_what_is_published_is_handed_on_whole(project: Path):
    (project / "config").mkdir()
    (project / "config/config.yaml").touch()
    told = make(project, "publish", "MODEL=results/a b/0", "TO=it's").stdout
    assert told == "tuneatlas[publish][results/a b/0][--to][it's][--config][config/config.yaml]\n"


@pytest.mark.parametrize("what", ["absent", "pipe", "folder", "link"])
@pytest.mark.parametrize("goal", ["run", "why", "audit"])
def test_a_config_that_is_no_file_is_said_by_name(project: Path, goal: str, what: str):
    """The engine would end with a traceback, or wait for a pipe."""
    path = project / "mine.yaml"
    {
        "absent": lambda: None,
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to("gone"),
    }[what]()
    (project / "base.yaml").touch()
    done = make(project, goal, "CONFIG=base.yaml mine.yaml")
    assert done.returncode and "mine.yaml: there is no such config file" in done.stderr
    assert "[" not in done.stdout


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a{b}", "a(b)", "a$b", "a\nb", "a&b", "a*b"])
def test_no_environment_is_made_where_jobs_could_not_be_started_from_it(tmp_path: Path, name: str):
    folder = tmp_path / name
    (folder / "envs").mkdir(parents=True)
    for part in ("Makefile", "envs/lock.txt"):
        shutil.copy(ROOT / part, folder / part)
    done = make(folder, "run")
    assert "make VENV=/FOLDER run" in done.stderr and not (folder / ".venv").exists()
    # As it is refused when it is named.
    done = make(folder, "run", f"VENV={tmp_path}/x y")
    assert "jobs cannot be started" in done.stderr and not (folder / ".venv").exists()
    # Elsewhere, it would be made.
    done = make(folder, "run", f"VENV={tmp_path}/venv")
    assert "jobs cannot be started" not in done.stderr
    assert (folder / ".venv").readlink() == tmp_path / "venv"


def test_an_environment_of_others_is_never_cleared(project: Path, tmp_path: Path):
    theirs = (project / ".venv").rename(tmp_path / "theirs")
    (project / ".venv").symlink_to(theirs)
    (theirs / "ready").unlink()
    done = make(project, "run")
    assert f".venv is a link to {theirs}, which others may use" in done.stderr
    assert (theirs / "bin/snakemake").is_file()
    done = make(project, "run", f"VENV={theirs}")
    assert f"{theirs} is there and no environment; name a new folder" in done.stderr
    assert (theirs / "bin/snakemake").is_file()

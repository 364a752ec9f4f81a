"""Experiments of one project: what one has made another takes, verified, and nothing else."""

import shutil
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.workflow.small_workflow import Node, run, write

MORE = f"""
include: "{ROOT}/workflow/rules/sharing.smk"
"""
# What counts a number: `b` from `a`, `c` from `b` and a file of the user.
NODES = {
    "a": Node("a", [], kind="folder", add=1),
    "b": Node("b", ["a"]),
    "c": Node("c", ["b"], files=["mine"], kind="two"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one experiment that has run, at the top."""
    folder = tmp_path / "project"
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow/Snakefile").touch()
    (folder / "mine").write_text("1")
    write(folder, NODES, MORE)
    ran, said = run(folder)
    assert ran == ["a", "b", "c"], said
    return folder


def other(project: Path, **change: int) -> Path:
    """Another experiment of the project, in a folder of its own."""
    folder = project / "runs" / "two"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine").write_text("1")
    nodes = {name: Node(**vars(node)) for name, node in NODES.items()}
    for name, add in change.items():
        nodes[name].add = add
    write(folder, nodes, MORE)
    return folder


def test_what_is_made_alike_is_taken_and_verified(project: Path):
    folder = other(project)
    # A plan says so, and takes nothing.
    ran, said = run(folder, "--dry-run")
    assert "Would be taken from ../.., not run: 2 jobs: a 1, b 1" in said, said
    assert not (folder / "results").exists()
    ran, said = run(folder)
    assert ran == ["c"] and "Taken from ../.., not run: 2 jobs: a 1, b 1" in said, said
    assert (folder / "results/b").read_text() == (project / "results/b").read_text()
    # From then on it is as if it had been made here.
    shutil.rmtree(project / "results")
    assert run(folder)[0] == []
    assert not list(folder.rglob(".partial-*"))


@pytest.mark.parametrize(
    ("what", "expected"),
    [("number", ["a", "c"]), ("record", ["a", "b", "c"]), ("setting", ["b", "c"])],
)
def test_what_is_not_what_it_should_be_is_made_here(project: Path, what: str, expected: list[str]):
    """A changed byte of an output, a record that was edited, another setting."""
    folder = other(project, **({"b": 2} if what == "setting" else {}))
    if what == "number":
        (project / "results/a/number").write_text("7")
    if what == "record":
        record = project / "results/a.record.json"
        record.write_text(record.read_text().replace('"add": 1', '"add": 01'.replace("01", "3")))
    ran, said = run(folder)
    assert ran == expected, said
    assert (folder / "results/a/number").read_text() == "1"


def test_a_run_that_is_to_make_all_anew_takes_nothing(project: Path):
    folder = other(project)
    assert run(folder, "--forceall")[0] == ["a", "b", "c"]


def test_what_a_kill_left_is_never_taken_for_whole(project: Path):
    """A record comes first, and its output by one rename: without it, the job runs."""
    folder = other(project)
    (folder / "results").mkdir()
    shutil.copy(project / "results/a.record.json", folder / "results/a.record.json")
    left = folder / "results/.partial-host.1@a"
    shutil.copytree(project / "results/a", left)
    ran, said = run(folder)
    assert ran == ["a", "c"], said
    assert not left.exists()

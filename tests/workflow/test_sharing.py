"""Experiments of one project: what one has made another takes, verified, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.workflow.small_workflow import Node, run, write
from tuneatlas.engine.files import digest_files, sha256_files
from tuneatlas.engine.records import dump


def more(project: Path) -> str:
    return f"""
BESIDE = Path({str(project)!r})
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
    write(folder, NODES, more(folder))
    ran, said = run(folder)
    assert ran == ["a", "b", "c"], said
    return folder


def other(project: Path, **change: int) -> Path:
    """Another experiment of the project, in a folder of its own."""
    folder = project / "runs" / "two"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine").write_text("3")
    nodes = {name: Node(**vars(node)) for name, node in NODES.items()}
    for name, add in change.items():
        nodes[name].add = add
    write(folder, nodes, more(project))
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


def test_a_program_stays_one(project: Path):
    """Such as the Java runtime that parses, of which small files are copied and not linked."""
    for path in (project / "results/a/number", project / "results/b"):
        path.chmod(0o755)
    folder = other(project)
    ran, said = run(folder)
    assert ran == ["c"], said
    for name in ("a/number", "b"):
        assert (folder / "results" / name).stat().st_mode & 0o777 == 0o755


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
    """A record comes first, and its output by one rename; until then it is not there."""
    folder = other(project)
    (folder / "results").mkdir()
    shutil.copy(project / "results/a.record.json", folder / "results/a.record.json")
    left = folder / "results/.partial-host.1@a"
    shutil.copytree(project / "results/a", left)
    (left / "number").write_text("7")
    ran, said = run(folder)
    assert ran == ["c"], said
    assert not left.exists() and (folder / "results/a/number").read_text() == "1"


def test_what_was_deleted_here_is_taken_only_where_it_is_needed(project: Path):
    folder = other(project)
    run(folder)
    shutil.rmtree(folder / "results/a")
    ran, said = run(folder)
    assert ran == [] and "Taken" not in said and not (folder / "results/a").exists(), said
    (folder / "results/b").unlink()
    (folder / "results/b.record.json").unlink()
    (folder / "results/c").unlink()
    ran, said = run(folder)
    assert ran == ["c"] and "a 1, b 1" in said, said


def test_a_run_changes_nothing_of_the_other(project: Path):
    """Neither by what it takes, which may be the same file, nor by what it makes anew."""
    big = project / "results/a/big"
    big.write_bytes(bytes(2**20))
    record = project / "results/a.record.json"
    written = json.loads(record.read_text())
    files = sha256_files(project / "results/a")
    written |= {"files": files, "sha256": digest_files(files)}
    record.write_text(dump({k: v for k, v in written.items() if k != "seal"}))
    before = seen(project)
    folder = other(project)
    _, said = run(folder, "--", "results/a")
    assert (folder / "results/a/big").exists(), said
    assert (folder / "results/a/big").samefile(big)
    assert not (folder / "results/a/number").samefile(project / "results/a/number")
    assert seen(project) == before
    # Made anew with another setting, then deleted.
    other(project, a=2)
    ran, said = run(folder)
    assert ran[0] == "a", said
    shutil.rmtree(folder)
    assert seen(project) == before


def seen(project: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, time and mode of all files in results."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in (project / "results").rglob("*")
        if path.is_file()
    }


def test_runs_may_be_a_link_to_another_disk(project: Path, tmp_path: Path):
    (tmp_path / "scratch" / "runs").mkdir(parents=True)
    (project / "runs").symlink_to(tmp_path / "scratch" / "runs")
    folder = other(project)
    # The step's script lies beside the workflow that was started.
    ran, said = run(folder)
    assert ran == ["c"] and "2 jobs: a 1, b 1" in said, said

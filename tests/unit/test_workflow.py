"""Commands that are told can be run, and folders that cannot serve are refused at once."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.errors import UserError
from tuneatlas.workflow import check_folder, check_interpreter, command, home_of

# What no file's name can hold, and what a text file of tests need not.
LETTERS = st.characters(exclude_characters="\0/{}", exclude_categories=["Cs"])
FILES = st.lists(st.text(LETTERS, min_size=1).filter(lambda x: x not in (".", "..")), min_size=1)


@given(FILES)
def test_a_command_that_is_told_can_be_given_to_a_shell_and_to_make(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
):
    folder = tmp_path_factory.getbasetemp()
    there = command([folder / name for name in names], folder)
    if there.startswith("make"):
        (assignment,) = shlex.split(there)[2:]
        # As make reads it: a dollar twice is one.
        assert shlex.split(assignment.removeprefix("CONFIG=").replace("$$", "$")) == [
            str(folder / name) for name in names
        ]


def test_the_command_for_another_folder_names_both(tmp_path: Path, monkeypatch):
    project, here = tmp_path / "pro ject", tmp_path / "here"
    for folder in (project, here):
        folder.mkdir()
    monkeypatch.chdir(project)
    assert command([Path("config/config.yaml")], project) == "make run"
    assert command([project / "config/my $own.yaml"], project).endswith(
        """CONFIG=''"'"'config/my $$own.yaml'"'"''"""
    )
    monkeypatch.chdir(here)
    words = shlex.split(command([Path("a b.yaml")], project))
    options = ["--snakefile", str(project / "Snakefile"), "--directory", str(here)]
    assert words[:-2] == ["snakemake", "--cores", "all", *options]
    assert words[-2:] == ["--configfile", str(here / "a b.yaml")]


@pytest.mark.parametrize("sign", " \t\n\"'`$\\&|;<>()*?[]{}")
def test_a_python_that_jobs_cannot_start_is_refused(tmp_path: Path, sign: str):
    """The engine gives its path to a shell as it is."""
    with pytest.raises(UserError, match="jobs cannot be started by a path with"):
        check_interpreter(f"/a{sign}b/bin/python")


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1))
def test_a_python_is_refused_wherever_a_shell_would_not_find_it(name: str):
    path = f"/{name}"
    try:
        check_interpreter(path)
    except UserError:
        return
    read = subprocess.run(
        ["sh", "-c", f"printf %s {path}"], capture_output=True, check=True
    ).stdout.decode()
    assert read == path


def test_a_project_is_named_as_rules_can_name_it(tmp_path: Path, monkeypatch):
    for name in ("a{b}", "a b ü"):
        project = tmp_path / name
        project.mkdir()
        (project / "Snakefile").touch()
        monkeypatch.chdir(project)
        assert home_of(project, Path("Snakefile")) == Path()
    monkeypatch.chdir(tmp_path)
    assert home_of(project, project / "Snakefile") == project
    braced = tmp_path / "a{b}"
    with pytest.raises(UserError, match="braces for a wildcard: run in this folder itself"):
        home_of(braced, braced / "Snakefile")


@pytest.mark.parametrize("other", ["other/Snakefile", "gone", "https://x.org/Snakefile"])
def test_a_workflow_of_others_cannot_include_it(tmp_path: Path, other: str):
    """Both would share all names of variables and rules; as a module it is welcome."""
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "Snakefile", tmp_path / "other/Snakefile"):
        path.touch()
    with pytest.raises(UserError, match="use it as a module, with 'snakefile: "):
        home_of(tmp_path, tmp_path / other)
    with pytest.raises(UserError, match="runs from a folder only: clone it"):
        home_of(Path("https://x.org"), tmp_path / "other/Snakefile")


def test_a_module_with_a_prefix_names_the_project_whole(tmp_path: Path, monkeypatch):
    """Even from within it: the prefix is put before what is relative."""
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").touch()
    monkeypatch.chdir(tmp_path)
    assert home_of(tmp_path, Path("workflow/Snakefile"), "atlas/") == tmp_path
    assert home_of(tmp_path, Path("workflow/Snakefile")) == Path()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch):
    check_folder(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    # Root, as which tests may run, can write wherever the disk can.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / ".snakemake")
    with pytest.raises(UserError, match=r"\.snakemake: the workflow engine keeps its notes here"):
        check_folder(tmp_path)

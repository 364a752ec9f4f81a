"""Commands that are told can be run."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.config.naming import command

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

"""The project's folder is named as rules can name it, wherever a run works."""

from pathlib import Path

import pytest

from tuneatlas.engine.home import home_of
from tuneatlas.errors import UserError


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

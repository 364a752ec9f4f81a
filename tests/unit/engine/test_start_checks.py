"""What no run can start with is refused at once."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.engine.start_checks import check_folder, check_interpreter
from tuneatlas.errors import UserError


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


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch):
    check_folder(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    # Root, as which tests may run, can write wherever the disk can.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / ".snakemake")
    with pytest.raises(UserError, match=r"\.snakemake: the workflow engine keeps its notes here"):
        check_folder(tmp_path)

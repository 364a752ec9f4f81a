"""Results are read as they lie: linked, in circles, with pipes among them, and without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuneatlas.audit.lineage import is_categories, read_results
from tuneatlas.audit.settling import known, standing


@pytest.mark.parametrize("linked", ["results", "results/label_knowledge", "results/finetune/mini"])
def test_results_may_be_linked_elsewhere(results: Path, linked: str, tmp_path: Path):
    """A folder or one within, to another disk."""
    before = read_results(results)
    contents = {name: before.content(name) for name in before.records}
    place = results.parent / linked
    place.rename(tmp_path / "disk")
    place.symlink_to(tmp_path / "disk")
    after = read_results(results)
    assert after.records == before.records
    assert {name: after.content(name) for name in after.records} == contents


def test_a_model_may_be_called_as_a_folder_of_its_results():
    name = "results/probe_knowledge/{}/numbers.parquet"
    assert is_categories(name.format("mini/categories"))
    assert is_categories(name.format("categories/categories"))
    assert not is_categories(name.format("categories"))


def test_a_link_in_circles_is_followed_once_and_told(results: Path):
    (results / "finetune/mini/up").symlink_to(results)
    assert standing(known(results)) == {}
    assert "a link to a folder" in read_results(results).closed["results/finetune/mini/up"]


def test_a_pipe_in_place_of_a_record_keeps_nobody(results: Path):
    os.mkfifo(results / "x.record.json")
    assert "a named pipe" in read_results(results).unreadable["results/x"]


def test_audit_and_trace_need_no_torch():
    names = ("settling", "reasons", "lineage", "checks", "trace")
    code = "import sys; " + "; ".join(f"import tuneatlas.audit.{n}" for n in names)
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"

"""The documentation as a site: every page is in it, and no link leads nowhere."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT

DOCS = ROOT / "docs"
BUILD = ROOT / ".venv-docs/bin/sphinx-build"


def test_every_page_is_in_the_contents():
    index = (DOCS / "index.md").read_text("utf-8")
    listed = {
        (DOCS / line).resolve()
        for block in re.findall(r"```{toctree}\n(.*?)```", index, re.S)
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    pages = {path for kind in ("md", "ipynb") for path in DOCS.rglob(f"*.{kind}")}
    outside = {ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}
    assert listed == (pages - {DOCS / "index.md"}) | outside | {ROOT / "config/README.md"}


def test_what_is_cited_is_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for ours, theirs in (("version", "version"), ("license", "license")):
        assert citation[ours] == project[theirs]
    assert citation["title"].startswith(project["name"])
    assert len(citation["references"]) == 3


@pytest.mark.skipif(not BUILD.is_file(), reason="no environment of the docs: make site makes it")
def test_the_site_is_made_without_a_warning(tmp_path: Path):
    done = subprocess.run(
        [BUILD, "-W", "--keep-going", "-q", "-b", "html", "-c", "docs", ".", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site/docs/api.html").read_text("utf-8")
    assert "Ask a model what it knows, few-shot" in page
    assert (tmp_path / "site/docs/tutorials/in-python.html").is_file()

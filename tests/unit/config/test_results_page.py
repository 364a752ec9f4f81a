"""docs/results.md has every output of every rule, every kind of table, and every column."""

import re

import pytest

from tests.examples import ROOT
from tests.unit.config.described import pattern_of
from tuneatlas.config.results_page import TABLES, described, results_markdown

RULES = {path: path.read_text("utf-8") for path in (ROOT / "workflow/rules").rglob("*.smk")}
# Constants that paths of rules are made of.
NAMES = {
    name: value
    for text in RULES.values()
    for name, value in re.findall(r'^([A-Z_]+) = "([^"]+)"', text, re.M)
}


def outputs() -> set[str]:
    """Paths below results/ that rules name, their constants filled in."""
    found = set()
    for text in RULES.values():
        for path in re.findall(r'f?"((?:results/|\{[A-Z]+\}[./])[^"]+)"', text):
            if path in NAMES.values():
                continue
            whole = re.sub(r"\{([A-Z_]+)\}", lambda m: NAMES.get(m[1], m[0]), path)
            if whole.startswith("results/"):
                found.add(whole.removeprefix("results/"))
    return found


@pytest.mark.parametrize("path", sorted(outputs()))
def test_every_output_of_a_rule_is_described(path: str):
    made = re.sub(r"\{\w+\}", "x", path)
    assert [p for p in described()["files"] if pattern_of(p).fullmatch(made)], (
        f"src/tuneatlas/config/results.yaml: files lacks {path}"
    )


def test_there_are_outputs():
    assert len(outputs()) > 40


def test_every_kind_of_table_is_in_some_file():
    files = described()["files"].values()
    assert {file["table"] for file in files if "table" in file} == set(TABLES)


def test_columns_of_metrics_are_explained_and_no_others():
    tables = [t for of_step in described()["metrics"].values() for t in of_step.values()]
    shared = set()
    for table in tables:
        own, named = set(table.get("own", ())), set(table["columns"].split())
        assert own <= named
        shared |= named - own
    assert shared == set(described()["columns"])
    folders = {p: f for p, f in described()["files"].items() if f.get("form") == "metrics"}
    steps = {f.get("like") or p.split("/")[0] for p, f in folders.items()}
    assert steps == set(described()["metrics"])


def test_every_heading_that_a_file_links_to_is_there():
    page = results_markdown()
    there = {
        re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.+)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= there
    assert "| `probs` | list of double | 1 | softmax of the scores |" in page
    assert (ROOT / "docs/results.md").read_text("utf-8") == page

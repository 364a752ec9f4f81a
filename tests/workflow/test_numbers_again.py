"""The numbers and links of a finished run's report lead to items that give the numbers again."""

from pathlib import Path

import pytest

from tests.workflow.number_checks import given_again, links_of, numbers_of
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.numbers import Number

DRAWN = 50


@pytest.fixture(scope="module")
def results(finished: Path) -> Results:
    return read_results(finished / "results", finished)


@pytest.fixture(scope="module")
def found(results: Results) -> dict[str, Number]:
    return numbers_of(results)


def test_random_numbers_are_given_again_by_their_items(results: Results, found: dict[str, Number]):
    given_again(results, list(found.values()), DRAWN)


def test_every_link_of_the_report_leads_to_a_number_or_an_item(results: Results):
    links = links_of(results, "mini.html")
    assert len(links["of"]) > 50 and links["item"]


def test_the_page_is_whole_and_asks_for_nothing_from_a_network(finished: Path):
    folder = finished / "results" / "audit"
    for name in ("index.html", "app.js", "base.css", "data/overview.js", "data/numbers.js"):
        assert (folder / name).is_file(), name
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), folder / "index.html"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text and "fetch(" not in text, path.name

"""The numbers and links of a finished run's report lead to items that give the numbers again."""

import random
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tuneatlas.audit.behind import behind, compute, read_items
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.numbers import Number, numbers

DRAWN = 50
LINK = re.compile(r'href="\.\./audit/index\.html#(of|item)=([^"]*)"')


@pytest.fixture(scope="module")
def results(finished: Path) -> Results:
    return read_results(finished / "results", finished)


@pytest.fixture(scope="module")
def found(results: Results) -> dict[str, Number]:
    return {number.address: number for number in numbers(results)}


def test_random_numbers_are_given_again_by_their_items(results: Results, found: dict[str, Number]):
    columns, items = Columns(results), read_items(results)
    defined = [n for n in found.values() if n.value is not None]
    for number in random.Random(6).sample(defined, DRAWN):
        again = compute(number, columns, items)
        assert again == pytest.approx(number.value, abs=1.01e-6), number.address
        assert behind(number, columns, items), number.address


def test_every_link_of_the_report_leads_to_a_number_or_an_item(
    results: Results, found: dict[str, Number]
):
    html = (results.folder / "report" / "mini.html").read_text(encoding="utf-8")
    links = [(kind, unquote(name)) for kind, name in LINK.findall(html)]
    known = read_items(results).attributes
    numbers_linked = [name for kind, name in links if kind == "of"]
    assert len(numbers_linked) > 50 and {kind for kind, _ in links} == {"of", "item"}
    for kind, name in links:
        if kind == "item":
            assert name in known
        else:
            # A figure leads to a table of numbers, which its address begins with.
            assert name in found or any(a.startswith(f"{name}/") for a in found), name


def test_the_page_is_whole_and_asks_for_nothing_from_a_network(finished: Path):
    folder = finished / "results" / "audit"
    for name in ("index.html", "app.js", "base.css", "data/overview.js", "data/numbers.js"):
        assert (folder / name).is_file(), name
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), folder / "index.html"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text and "fetch(" not in text, path.name

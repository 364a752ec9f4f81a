"""That the numbers and links of a report lead to items that give the numbers again."""

import random
import re
from urllib.parse import unquote

import pytest

from tuneatlas.audit.behind import behind, compute, read_items
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.numbers import numbers
from tuneatlas.audit.terms import Number

LINK = re.compile(r'href="\.\./audit/index\.html#(of|item)=([^"]*)"')


def numbers_of(results: Results) -> dict[str, Number]:
    """All numbers by address."""
    return {number.address: number for number in numbers(results)}


def given_again(results: Results, found: list[Number], drawn: int) -> None:
    """Random ones of the numbers, made again from the rows of their items."""
    columns, items = Columns(results), read_items(results)
    defined = [n for n in found if n.value is not None]
    for number in random.Random(6).sample(defined, drawn):
        again = compute(number, columns, items)
        assert again == pytest.approx(number.value, abs=1.01e-6), number.address
        assert behind(number, columns, items), number.address


def links_of(results: Results, page: str) -> dict[str, list[str]]:
    """What a page of the report links to: numbers (of) and items, all of which there are."""
    found, known = numbers_of(results), read_items(results).attributes
    links: dict[str, list[str]] = {"of": [], "item": []}
    html = (results.folder / "report" / page).read_text(encoding="utf-8")
    for kind, quoted in LINK.findall(html):
        name = unquote(quoted)
        links[kind].append(name)
        if kind == "item":
            assert name in known
        else:
            # A figure leads to a table of numbers, which its address begins with.
            assert name in found or any(a.startswith(f"{name}/") for a in found), name
    return links

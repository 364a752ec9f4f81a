"""The map of the atlas as a page: treatments by measures, two of them compared by a click."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tuneatlas.data.groups import arm_name, group_name, in_order
from tuneatlas.report.rendering import page_environment
from tuneatlas.report.treatments import setting_name
from tuneatlas.report.wording import counted, level_of, number, percent, points, signed
from tuneatlas.studies.atlas.board import Measure, Treated
from tuneatlas.studies.atlas.measures import MEASURES
from tuneatlas.tables import Row

# How a number is shown, by the unit of its measure.
SHOWN: dict[str, Callable[[float | None], str]] = {
    **{"points": points, "nats": number, "percent": percent}
}
# The same of a difference of two of them.
APART = SHOWN | {"nats": signed, "percent": points}


@dataclass(frozen=True)
class Shown:
    """A cell as it is shown: its number and interval; ``open``, if that has 0 in it."""

    measure: Measure
    value: str
    low: str
    high: str
    open: bool
    items: str
    address: str


@dataclass(frozen=True)
class Line:
    """A row of the map: what was tuned on, how, and a cell per measure, where there is one."""

    name: str
    setting: str
    cells: list[Shown | None]


def build_map(metrics: Mapping[str, Any], model: str, links: str) -> str:
    """The whole page as HTML, from the metrics.json of step ``map_treatments``.

    ``links`` is the folder of its files relative to the page. No network; one script, without
    which the map is whole but for comparing.
    """
    measured = {row["measure"] for row in metrics["map"]}
    measures = [measure for measure in MEASURES if measure.name in measured]
    cells = {(row["measure"], _treated(row)): row for row in metrics["map"]}
    rows = _in_order({treated for _, treated in cells})
    design = metrics["design"]
    trainings = [
        counted(len(design[name]), noun)
        for name, noun in (("replicates", "base model"), ("seeds", "tuning seed"))
    ]
    html = page_environment().get_template("map_page.html.jinja").render(
        model=model,
        links=links,
        measures=measures,
        lines=[
            Line(
                arm_name(treated.domain, treated.group),
                setting_name(treated.domain, treated.setting),
                [_shown(measure, cells.get((measure.name, treated))) for measure in measures],
            )
            for treated in rows
        ],
        of=" and ".join(trainings),
        level=level_of(metrics),
        pairs=_script_data(_pairs(metrics["map_pairs"], measures, rows)),
    )  # fmt: skip
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"


def _treated(row: Row, side: str = "") -> Treated:
    return Treated(*(row[f"{side}{name}"] for name in Treated._fields))


def _in_order(rows: set[Treated]) -> list[Treated]:
    """Groups as everywhere, and other ways to tune on them after these."""
    groups = in_order({row.group for row in rows})
    groups.sort(key=lambda group: group_name(group) == group)
    return sorted(rows, key=lambda row: (row.domain, groups.index(row.group), row.setting))


def _shown(measure: Measure, row: Row | None) -> Shown | None:
    if row is None:
        return None
    numbers = (row[name] for name in ("value", "value_low", "value_high"))
    value, low, high = map(SHOWN[measure.unit], numbers)
    return Shown(
        measure,
        value,
        # Two signs take the room of a column.
        low.removesuffix("%"),
        high.removesuffix("%"),
        open=row["value_low"] <= 0 <= row["value_high"],
        items=counted(row["items"], "item"),
        address=row["address"],
    )


def _pairs(
    rows: Sequence[Row], measures: Sequence[Measure], order: Sequence[Treated]
) -> dict[str, list[list[Any]]]:
    """By the places of two treatments: the number of each measure, and the ends of its interval.

    Of each pair both orders are there; a measure is told by its place.
    """
    place = {treated: number for number, treated in enumerate(order)}
    column = {measure.name: number for number, measure in enumerate(measures)}
    found: dict[str, list[list[Any]]] = {}
    for row in rows:
        one, two = place[_treated(row, "first_")], place[_treated(row, "second_")]
        at = column[row["measure"]]
        show = APART[measures[at].unit]
        value, low, high = (row[name] for name in ("value", "value_low", "value_high"))
        apart = not low <= 0 <= high
        told = [at, show(value), show(low), show(high), apart]
        back = [at, show(-value), show(-high), show(-low), apart]
        found.setdefault(f"{one},{two}", []).append(told)
        found.setdefault(f"{two},{one}", []).append(back)
    return found


def _script_data(value: Any) -> Markup:
    """JSON that stands in a script without ending it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))

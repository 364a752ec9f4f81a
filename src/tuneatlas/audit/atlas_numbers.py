"""The numbers of the atlas, each with the answers that it is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.battery_numbers import battery_numbers
from tuneatlas.audit.inside_numbers import inside_numbers
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, Where, blocks_of, inputs_of
from tuneatlas.data.scopes import ALL
from tuneatlas.studies.atlas.tables import BASE, LINE, point_name
from tuneatlas.tables import Row


def atlas_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``map_treatments``, from its record and its metrics."""
    model, design = record["wildcards"]["model"], metrics["design"]
    runs: dict[tuple[str, str], list[str]] = {}
    for (domain, group, _), made in inputs_of(results, record, "interpolate_weights").items():
        runs.setdefault((domain, group), []).extend(made.values())
    blocks = blocks_of(_domains(results, runs), design)
    yield from battery_numbers(results, record, metrics, blocks)
    yield from inside_numbers(results, record, metrics)
    for row in metrics["interpolation"]:
        about = {} if design["facts"] == ALL else {"facts": (design["facts"],)}
        place: Where = {"block": blocks(row["domain"], row["scope"]), **about}
        outputs = runs[row["domain"], row["group"]]

        def terms(
            cell: str,
            weight: float = 1.0,
            outputs: list[str] = outputs,
            place: Where = place,
        ) -> tuple[Term, ...]:
            each = weight / len(outputs)
            return tuple(Term(each, (name,), f"{cell}:correct", place) for name in outputs)

        base, end = point_name(*BASE), point_name(row["setting"], LINE, 1.0)
        cell = point_name(row["setting"], row["path"], row["point"])
        address = (row["domain"], row["group"], row["scope"], cell)
        own = terms(cell if row["point"] else base)
        found = {
            "base": terms(base),
            "accuracy": own,
            "gain": own + terms(base, -1.0),
            "regained": own + terms(end, -1.0),
        }
        for name, parts in found.items():
            yield Number("/".join(("interpolation", model, *address, name)), row[name], parts)


def _domains(results: Results, runs: Mapping[tuple[str, str], list[str]]) -> list[str]:
    """The domains that were asked about."""
    names = [name for own in runs.values() for name in own]
    made = (results.records.get(n) for n in results.records[names[0]]["inputs"])
    return sorted(r["wildcards"]["domain"] for r in made if r and r["step"] == "prepare_questions")

"""The numbers of the atlas, each with the answers that it is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, Where, blocks_of, inputs_of
from tuneatlas.data.scopes import ALL
from tuneatlas.tables import Row

# The column of the base model.
BASE = "base/line/0"


def atlas_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``map_treatments``, from its record and its metrics."""
    model, design = record["wildcards"]["model"], metrics["design"]
    runs: dict[tuple[str, str], list[str]] = {}
    for (domain, group, _), made in inputs_of(results, record, "interpolate_weights").items():
        runs.setdefault((domain, group), []).extend(made.values())
    blocks = blocks_of(_domains(results, runs), design)
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

        cell = f"{row['setting']}/{row['path']}/{row['point']:g}"
        address = (row["domain"], row["group"], row["scope"], cell)
        own = terms(cell if row["point"] else BASE)
        found = {
            "base": terms(BASE),
            "accuracy": own,
            "gain": own + terms(BASE, -1.0),
            "regained": own + terms(f"{row['setting']}/line/1", -1.0),
        }
        for name, parts in found.items():
            yield Number("/".join(("interpolation", model, *address, name)), row[name], parts)


def _domains(results: Results, runs: Mapping[tuple[str, str], list[str]]) -> list[str]:
    """The domains that were asked about."""
    names = [name for own in runs.values() for name in own]
    made = (results.records.get(n) for n in results.records[names[0]]["inputs"])
    return sorted(r["wildcards"]["domain"] for r in made if r and r["step"] == "prepare_questions")

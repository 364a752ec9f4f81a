"""The numbers of the battery, each with the answers that it is made of."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, Where, inputs_of, of_the_map
from tuneatlas.data.scopes import ALL
from tuneatlas.tables import Row

# What each share of the lost questions is of.
WHOLES = {
    "reached": "lost",
    "reached_known": "lost_known",
    "base_reached": "lost",
    "back": "again",
    "neither": "again",
}


def battery_numbers(
    results: Results,
    record: Row,
    metrics: Mapping[str, Any],
    blocks: Callable[[Row, str], tuple[str, ...]],
) -> Iterator[Number]:
    """Those of tables ``battery`` and ``recovery``, and of the map what was reached.

    ``blocks`` are those of a scope, seen from the treatment of a row.

    The agreement of two kinds of recovery is no sum over questions: its address has none.
    """
    model = record["wildcards"]["model"]
    runs: dict[tuple[str, str], list[str]] = {}
    for (domain, group, _), made in inputs_of(results, record, "ask_battery").items():
        runs.setdefault((domain, group), []).extend(made.values())

    def place(row: Row) -> Where:
        about = {} if row["facts"] == ALL else {"facts": (row["facts"],)}
        return {"block": blocks(row, row["scope"]), **about}

    def of_row(row: Row) -> tuple[str, ...]:
        return tuple(runs[row["domain"], row["group"]])

    for row in metrics.get("battery", ()):
        at = ("battery", model, *(row[k] for k in ("domain", "group", "setting", "scope", "way")))

        def mean(setting: str, weight: float = 1.0, row: Row = row) -> Term:
            return Term(weight, of_row(row), f"{setting}/{row['way']}:correct", place(row))

        before, after = mean("base"), mean(row["setting"])
        for name, terms in {
            "base": (before,),
            "accuracy": (after,),
            "gain": (after, mean("base", -1.0)),
        }.items():
            yield Number("/".join((*at, name)), row[name], terms)
    for row in metrics.get("map", ()):
        if row["measure"] == "reached" and row["address"]:
            column, over = f"{row['setting']}:reached", f"{row['setting']}:lost"
            where = place(row | {"scope": "ood", "facts": metrics["design"]["facts"]})
            # A mean over trainings, of each of which it is a share.
            each = 1 / len(of_row(row))
            terms = tuple(Term(each, (name,), column, where, over) for name in of_row(row))
            yield Number(of_the_map(row, model), row["value"], terms)
    for row in metrics.get("recovery", ()):
        keys = ("domain", "group", "setting", "scope", "facts")
        at = ("recovery", model, *(row[k] for k in keys))
        for name, whole in WHOLES.items():
            if row[name] is not None:
                column, over = (f"{row['setting']}:{each}" for each in (name, whole))
                term = Term(1.0, of_row(row), column, place(row), over)
                yield Number("/".join((*at, name)), row[name], (term,))

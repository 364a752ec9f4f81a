"""The numbers on hidden states, each with the questions that it is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, of_the_map
from tuneatlas.tables import Row


def inside_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of tables ``similarity`` and ``inside``, and what the map has of it.

    Changes of weights are made of no items.
    """
    model = record["wildcards"]["model"]

    def runs(step: str, end: str) -> dict[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for name in record["inputs"]:
            made = results.records.get(name)
            if made and made["step"] == step and name.endswith(end):
                at = (made["wildcards"]["domain"], made["wildcards"]["group"])
                found[at] = (*found.get(at, ()), name)
        return found

    alike = runs("measure_changes", ".similarity.parquet")
    for row in metrics.get("similarity", ()):
        cell = f"{row['setting']}/{row['layer']}/{row['kind']}"
        term = Term(1.0, alike[row["domain"], row["group"]], f"{cell}:similarity")
        address = ("similarity", model, row["domain"], row["group"], cell, "similarity")
        yield Number("/".join(address), row["similarity"], (term,))
    inside = runs("probe_states", "")
    for row in metrics.get("inside", ()):
        cell = "/".join(str(row[k]) for k in ("setting", "states", "layer", "kind"))
        outputs = inside[row["domain"], row["group"]]
        right, control, less = (
            Term(weight, outputs, f"{cell}:{name}")
            for weight, name in ((1.0, "right"), (1.0, "control"), (-1.0, "control"))
        )
        parts = {"right": (right,), "control": (control,), "selectivity": (right, less)}
        for name, terms in parts.items():
            address = ("inside", model, row["domain"], row["group"], cell, name)
            yield Number("/".join(address), row[name], terms)
    last = max((row["layer"] for row in metrics.get("inside", ())), default=0)
    for row in metrics.get("map", ()):
        if row["measure"] == "inside" and row["address"]:
            outputs = inside[row["domain"], row["group"]]
            # A mean over trainings, of each of which it is a share.
            each = 1 / len(outputs)
            cell = f"{row['setting']}/tuned/{last}/lost"
            terms = tuple(
                Term(sign * each, (name,), f"{cell}:{column}")
                for name in outputs
                for sign, column in ((1, "right"), (-1, "control"))
            )
            yield Number(of_the_map(row, model), row["value"], terms)

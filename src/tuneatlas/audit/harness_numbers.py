"""The numbers of tasks of lm-evaluation-harness, each with the items that it is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term
from tuneatlas.tables import Row

STEP = "evaluate_harness"


def column_of(task: str, kind: str, metric: str) -> str:
    """What the values of a metric, read by a filter of this kind, are called."""
    return f"{task}/{kind}/{metric}"


def harness_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``compare_harness``, from its record and its metrics: means of items."""
    base = record["wildcards"]["model"]
    made = {name: results.records.get(name) for name in record["inputs"]}
    tables = {
        r["wildcards"]["trained"]: name
        for name, r in made.items()
        if r and r["step"] == STEP and name.endswith(".parquet")
    }

    def term(row: Row, model: str, weight: float = 1.0) -> Term:
        return Term(weight, (tables[model],), column_of(row["task"], row["filter"], row["metric"]))

    def address(table: str, row: Row, *models: str) -> str:
        return "/".join((table, base, *models, row["task"], row["filter"], row["metric"]))

    for row in metrics["scores"]:
        if row["averaged"]:
            about = address("harness_scores", row, row["model"])
            yield Number(about, row["value"], (term(row, row["model"]),))
    for row in metrics["changes"]:
        about = address("harness_changes", row, row["first"], row["second"])
        before, after = term(row, row["first"]), term(row, row["second"])
        yield Number(f"{about}/before", row["before"], (before,))
        yield Number(f"{about}/after", row["after"], (after,))
        yield Number(f"{about}/change", row["change"], (after, term(row, row["first"], -1.0)))

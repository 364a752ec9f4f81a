"""The numbers of the syntax study."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, Where
from tuneatlas.tables import Row

# The parts of the test pairs that have scores of their own.
SUBSETS: dict[str, Where] = {"all": {}, "hard": {"pair": ("hard",)}, "long": {"length": ("long",)}}


def paraphrase_numbers(
    results: Results, record: Row, metrics: Mapping[str, Any]
) -> Iterator[Number]:
    """Those of ``compare_paraphrases``, from its record and its metrics."""
    model = record["wildcards"]["paraphraser"]
    runs: dict[tuple[str, ...], list[str]] = {}
    of_start: dict[str, list[str]] = {}
    systems: dict[str, str] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        wildcards = made["wildcards"] if made else {}
        if made and made["step"] == "score_paraphrases" and name.endswith("scores.parquet"):
            run = tuple(wildcards[key] for key in ("format", "share", "start"))
            runs.setdefault(run, []).append(name)
        elif made and made["step"] == "evaluate_tasks":
            of_start.setdefault(wildcards["start"], []).append(name)
        elif made and made["step"] == "score_systems" and name.endswith("scores.parquet"):
            systems[wildcards["system"]] = name

    def terms(run: tuple[str, ...], row: Row, weight: float = 1.0) -> tuple[Term, ...]:
        place: Where = SUBSETS[row["subset"]]
        each = weight / len(runs[run])
        return tuple(Term(each, (name,), row["metric"], place) for name in runs[run])

    def whole(table: str) -> Iterator[Row]:
        for row in metrics.get(table, ()):
            # A pair without a value in one of the runs compared is left out of all of them.
            if row["pairs"] != metrics["design"]["pairs"][row["subset"]]:
                continue
            # BLEU of a part of the corpus is no mean of anything.
            if row["metric"] == "corpus_bleu4" and row["subset"] != "all":
                continue
            yield row

    def of_system(row: Row, weight: float = 1.0) -> Term:
        return Term(weight, (systems[row["system"]],), row["metric"], SUBSETS[row["subset"]])

    for table in ("scores", "differences"):
        for row in whole(table):
            run = (row["format"], str(row["share"]), row["start"])
            found, about = terms(run, row), [*run, row["subset"], row["metric"]]
            if table == "differences":
                found += terms((*run[:2], row["baseline"]), row, -1.0)
                about.insert(3, row["baseline"])
            yield Number("/".join((f"paraphrase_{table}", model, *about)), row["value"], found)
    for row in whole("system_scores"):
        about = [row["system"], row["subset"], row["metric"]]
        yield Number("/".join(("system_scores", model, *about)), row["value"], (of_system(row),))
    for row in whole("system_differences"):
        run = (row["format"], str(row["share"]), row["start"])
        about = [*run, row["system"], row["subset"], row["metric"]]
        found = (*terms(run, row), of_system(row, -1.0))
        yield Number("/".join(("system_differences", model, *about)), row["value"], found)
    for start, tasks in metrics["tasks"].items():
        for task, of_task in tasks.items():
            # The mean over replicates.
            each = 1 / len(of_start[start])
            of_all = tuple(Term(each, (name,), task) for name in of_start[start])
            yield Number("/".join(("tasks", model, start, task)), of_task["mean"], of_all)

"""The numbers of the forgetting study: of our own runs, and of checkpoints that were restored."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.columns import TEXT_KINDS
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.query import rows_of
from tuneatlas.audit.terms import Number, Term, Where, blocks_of
from tuneatlas.data.scopes import ALL
from tuneatlas.studies.forgetting.chance import fates_of
from tuneatlas.studies.forgetting.study import COMPARISONS
from tuneatlas.studies.forgetting.tables import stage_name
from tuneatlas.tables import Row


def stage_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``stage_forgetting`` or ``stage_checkpoints``, from record and metrics."""
    model = record["wildcards"]["model"]
    runs: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        if made and made["step"] in ("evaluate_base", "evaluate_stages", "measure_checkpoint"):
            w = made["wildcards"]
            run: tuple[str, ...] = (w.get("domain", ""), w.get("group", "base"))
            if "checkpoint" in w:
                # Tuned elsewhere: a run of no domain, and each of its steps has files of its own.
                group, _, at = w["checkpoint"].partition("/")
                run = ("", group, at or "0")
            kind = "answers" if name.endswith(".answers.parquet") else "texts"
            runs.setdefault(run, {}).setdefault(kind, []).append(name)
    base = ("", "base")

    def run_of(row: Row) -> tuple[str, ...]:
        run = (row["domain"], row["group"])
        return run if run in runs else (*run, str(row["step"]))

    for kinds in runs.values():
        for names in kinds.values():
            names.sort(key=lambda n: (_model(results, n), int(_wildcards(results, n)["seed"])))
    domains = {n.split("/")[0] for n in _questions(results, record)}
    blocks = blocks_of(sorted(domains), metrics["design"])

    def terms(
        run: tuple[str, ...], cell: str, measure: str, weight: float = 1.0, domain: str = ""
    ) -> tuple[Term, ...]:
        """Of every seed. The base model without restoration is the same under all.

        Scopes are seen from the domain of the run, or from ``domain``.
        """
        text = measure in TEXT_KINDS
        names = runs[run]["texts" if text else "answers"]
        if cell == "base/0/0" and not text:
            # The first of each replicate.
            names = list({_model(results, n): n for n in reversed(names)}.values())
        place: Where = {}
        if measure.startswith("accuracy_"):
            place = {"block": blocks(domain or run[0], measure.removeprefix("accuracy_"))}
        column = f"{cell}:{measure}" if text else f"{cell}:correct"
        over = f"{column}:bytes" if text else ""
        return tuple(Term(weight / len(names), (n,), column, place, over) for n in names)

    for row in metrics["measures"]:
        run = run_of(row)
        cell = f"{row['setting']}/{row['step']}/{row['restored']}"
        address = "/".join(("measures", model, row["domain"] or "-", row["group"], cell))
        named = f"{stage_name(row['setting'], row['step'])}/{row['restored']}"
        yield Number(f"{address}/{row['measure']}", row["value"], terms(run, named, row["measure"]))
    for row in metrics["control"]:
        found = terms(base, "base/0/100", row["measure"])
        found += terms(base, "base/0/0", row["measure"], -1.0)
        yield Number(f"control/{model}/{row['measure']}/value", row["value"], found)
    for row in metrics["fates"]:
        run = run_of(row)
        stage = f"{row['setting']}/{row['step']}"
        address = "/".join(("fates", model, row["domain"] or "-", row["group"], stage, row["fate"]))
        for name, suffix in (("value", ""), ("known_value", ":known")):
            if row[name] is not None:
                column = f"{stage_name(row['setting'], row['step'])}:{row['fate']}{suffix}"
                answers = runs[run]["answers"]
                weight = 1 / len(answers)
                found = tuple(Term(weight, (n,), column) for n in answers)
                yield Number(f"{address}/{name}", row[name], found)
    # Older results have no numbers by scope.
    for table in ("tests", "scoped_tests"):
        for row in metrics.get(table, ()):
            run = run_of(row)
            stage = f"{row['setting']}/{row['step']}"
            named = stage_name(row["setting"], row["step"])
            sides = {
                "base": (base, "base/0/0"),
                "control": (base, "base/0/100"),
                "tuned": (run, f"{named}/0"),
                "restored": (run, f"{named}/100"),
            }
            before, after = (sides[name] for name in COMPARISONS[row["comparison"]])
            scope = [row["scope"]] if "scope" in row else []
            measure = "_".join(("accuracy", *scope))
            found = terms(*after, measure, 1.0, run[0])
            found += terms(*before, measure, -1.0, run[0])
            name = row["comparison"].replace(" ", "_")
            about = (row["domain"] or "-", row["group"])
            address = "/".join((table, model, *about, *scope, stage, name, "value"))
            yield Number(address, row["value"], found)
    for row in metrics.get("chance_adjusted", ()):
        run = run_of(row)
        stage = f"{row['setting']}/{row['step']}"
        named = stage_name(row["setting"], row["step"])
        kept: Where = {} if row["scope"] == ALL else {"block": blocks(run[0], row["scope"])}
        change = [row[name].replace(" ", "_") for name in ("comparison", "change")]
        about = (row["domain"] or "-", row["group"])
        address = "/".join(("chance_adjusted", model, *about, row["scope"], stage, *change))
        for name, suffix in (("raw", ""), ("known_value", ":known")):
            if row[name] is not None:
                answers = runs[run]["answers"]
                found = tuple(
                    Term(1 / len(answers), (n,), f"{named}:{fate}{suffix}", kept)
                    for n in answers
                    for fate in fates_of(row["comparison"], row["change"])
                )
                yield Number(f"{address}/{name}", row[name], found)


def _wildcards(results: Results, name: str) -> Mapping[str, str]:
    wildcards: Mapping[str, str] = results.records[name]["wildcards"]
    return wildcards


def _model(results: Results, name: str) -> str:
    return _wildcards(results, name)["model"]


def _questions(results: Results, record: Row) -> list[str]:
    """Ids of the questions asked."""
    for name in record["inputs"]:
        path = results.place(name) / "questions.parquet"
        if path.is_file():
            return [i for (i,) in rows_of(results, f"{name}/questions.parquet", "id")]
    return []

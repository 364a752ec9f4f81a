"""The numbers of the report, each with the items it is made of.

A number is a weighted sum of terms, a term the mean of a column (see ``columns``) over some of
its items. The address of a number, such as ``accuracy/mini/countries/id/incompatible/0/kl``, is
what the report links to and ``tuneatlas trace --of`` reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneatlas.audit.columns import TEXT_KINDS
from tuneatlas.audit.lineage import Results, read_metrics
from tuneatlas.audit.query import rows_of
from tuneatlas.data.scopes import ALL, AWAY, POOLED, scope_of
from tuneatlas.studies.forgetting.chance import fates_of
from tuneatlas.studies.forgetting.study import COMPARISONS
from tuneatlas.studies.knowledge.compare import (
    CONSISTENCY_TRACKS,
    DIFFERENCES,
)
from tuneatlas.tables import ROLES, Row

# Which items: the values that an attribute may have (block: domain/role; split; facts).
Where = Mapping[str, tuple[str, ...]]
SUM = "sum"


@dataclass(frozen=True)
class Term:
    """``weight`` times the mean of a column, pooled over ``outputs``, over the items ``where``.

    ``over`` names a column whose sum divides instead of the number of items; ``sum``: nothing.
    """

    weight: float
    outputs: tuple[str, ...]
    column: str
    where: Where = field(default_factory=dict)
    over: str = ""


@dataclass(frozen=True)
class Number:
    """A number of the report; a correlation has points of three numbers each, not terms.

    ``points`` are those of each replicate.
    """

    address: str
    value: float | None
    terms: tuple[Term, ...] = ()
    points: tuple[tuple["Point", ...], ...] = ()

    def all_terms(self) -> tuple[Term, ...]:
        """The terms of it and of its points."""
        points = (point for own in self.points for point in own)
        return self.terms + tuple(t for point in points for n in point for t in n.terms)


Point = tuple[Number, Number, Number]


def numbers(results: Results) -> Iterator[Number]:
    """All numbers of the report that are made of items."""
    for step, make in MAKERS.items():
        for name, record in results.of_step(step).items():
            yield from make(results, record, read_metrics(results, name))


def _of(results: Results, record: Row, step: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The inputs that a step made, by their wildcards without the model, and by replicate."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        if made and made["step"] == step:
            key = tuple(v for k, v in made["wildcards"].items() if k != "model")
            found.setdefault(key, {})[made["wildcards"]["model"]] = name
    return found


def blocks_of(
    domains: Sequence[str], design: Mapping[str, Any]
) -> Callable[[str, str], tuple[str, ...]]:
    """The blocks of a scope, seen from a tuned domain."""
    # Older results name no roles: all of other domains were out of the domain.
    ood_roles = design.get("ood_roles", ROLES)

    def blocks(tuned: str, scope: str) -> tuple[str, ...]:
        return tuple(
            f"{domain}/{role}"
            for domain in domains
            for role in ROLES
            if scope_of(tuned, domain, role, ood_roles) == scope
        )

    return blocks


def _knowledge(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    model = record["wildcards"]["model"]
    tuned = _of(results, record, "evaluate_knowledge")
    of_domain = _of(results, record, "probe_knowledge")
    replicates = list(next(iter(of_domain.values())))
    probed = {m: tuple(own[m] for own in of_domain.values()) for m in replicates}
    seeds = {d: sorted({s for e, _, s in tuned if e == d}) for d, _, _ in tuned}
    design = metrics["design"]
    blocks = blocks_of(design["test_domains"], design)
    about = {"facts": (design["facts"],)} if "facts" in design else {}

    def where(domain: str, scope: str) -> Where:
        return {"block": blocks(domain, scope), "split": ("test",), **about}

    def terms(
        domain: str, scope: str, group: str, seed: str, column: str, weight: float = 1.0
    ) -> tuple[Term, ...]:
        """Of one seed, or of ``all``; ``REPLICATE:SEED`` is of one replicate alone."""
        place, (name, _, number) = where(domain, scope), seed.rpartition(":")
        models = [name] if name else replicates
        if group == "base":
            each = weight / len(models)
            return tuple(Term(each, probed[model], column, place) for model in models)
        chosen = seeds[domain] if number == ALL else [number]
        each = weight / len(models) / len(chosen)
        return tuple(
            Term(each, (tuned[domain, group, s][model],), column, place)
            for model in models
            for s in chosen
        )

    cells: dict[tuple[str, str], set[str]] = {}
    for row in metrics["accuracy"]:
        cell = (row["domain"], row["scope"], row["group"], _run(row))
        cells.setdefault(cell[:2], set()).add(row["group"])
        for measure in ("accuracy", "gain", "kl", "consistency"):
            if row[measure] is not None:
                made = terms(
                    *cell, {"accuracy": "correct", "gain": "correct"}.get(measure, measure)
                )
                if measure == "gain":
                    made += terms(*cell[:2], "base", cell[3], "correct", -1.0)
                yield Number("/".join(("accuracy", model, *cell, measure)), row[measure], made)
    points: dict[str, dict[str, list[Point]]] = {}
    for row in metrics["points"]:
        cell = (row["domain"], row["scope"], row["group"], _run(row))
        address = "/".join(("points", model, *cell))
        point = (
            Number(f"{address}/consistency", row["consistency"], terms(*cell, "consistency")),
            Number(f"{address}/accuracy", row["accuracy"], terms(*cell, "correct")),
            Number(f"{address}/base", row["base"], terms(*cell[:2], "base", cell[3], "correct")),
        )
        for scope in (row["scope"], ALL):
            of_scope = points.setdefault(scope, {})
            of_scope.setdefault(row.get("replicate", ""), []).append(point)
        yield from point
    differences = {difference.claim: difference for difference in DIFFERENCES}
    for row in metrics["claims"]:
        address = "/".join(("claims", model, row["claim"], row["domain"], row["scope"]))
        if row["claim"] == CONSISTENCY_TRACKS:
            yield Number(
                f"{address}/value",
                row["value"],
                (),
                tuple(map(tuple, points[row["scope"]].values())),
            )
        elif (difference := differences.get(row["claim"])) is not None:
            compared = (difference.first, difference.second)
            pool = [
                (d, s)
                for (d, s), groups in cells.items()
                if row["domain"] in (d, ALL)
                and (s in AWAY if row["scope"] == POOLED else s == row["scope"])
                and set(compared) <= groups
            ]
            sides = {
                name: [t for c in pool for t in terms(*c, name, ALL, "correct", 1 / len(pool))]
                for name in (*compared, "base")
            }
            for name, own in sides.items():
                yield Number(f"{address}/{name}", row[name], tuple(own))
            less = [Term(-t.weight, t.outputs, t.column, t.where) for t in sides[compared[1]]]
            yield Number(f"{address}/value", row["value"], (*sides[compared[0]], *less))
    for row in metrics["base_knowledge"]:
        kept: Where = {} if row["facts"] == ALL else {"facts": (row["facts"],)}
        address = "/".join(("base_knowledge", model, row["domain"], row["facts"], "accuracy"))
        yield Number(address, row["accuracy"], _mean(of_domain[(row["domain"],)], "correct", kept))
    labels = _of(results, record, "label_knowledge") | _of(results, record, "read_groups")
    for row in metrics["group_sizes"]:
        found = _mean(labels[(row["domain"],)], row["group"], {}, SUM)
        address = "/".join(("group_sizes", model, row["domain"], row["group"], "questions"))
        yield Number(address, row["questions"], found)


def _run(row: Row) -> str:
    """The seed of a row, or all; with its replicate where it is of one of several."""
    return f"{row['replicate']}:{row['seed']}" if row.get("replicate") else str(row["seed"])


def _mean(
    outputs: Mapping[str, str], column: str, where: Where, over: str = ""
) -> tuple[Term, ...]:
    """The mean over replicates, whose ``outputs`` these are."""
    each = 1 / len(outputs)
    return tuple(Term(each, (name,), column, where, over) for name in outputs.values())


def _forgetting(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
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
        yield Number(f"{address}/{row['measure']}", row["value"], terms(run, cell, row["measure"]))
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
                column = f"{stage}:{row['fate']}{suffix}"
                answers = runs[run]["answers"]
                weight = 1 / len(answers)
                found = tuple(Term(weight, (n,), column) for n in answers)
                yield Number(f"{address}/{name}", row[name], found)
    # Older results have no numbers by scope.
    for table in ("tests", "scoped_tests"):
        for row in metrics.get(table, ()):
            run = run_of(row)
            stage = f"{row['setting']}/{row['step']}"
            sides = {
                "base": (base, "base/0/0"),
                "control": (base, "base/0/100"),
                "tuned": (run, f"{stage}/0"),
                "restored": (run, f"{stage}/100"),
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
        kept: Where = {} if row["scope"] == ALL else {"block": blocks(run[0], row["scope"])}
        change = [row[name].replace(" ", "_") for name in ("comparison", "change")]
        about = (row["domain"] or "-", row["group"])
        address = "/".join(("chance_adjusted", model, *about, row["scope"], stage, *change))
        for name, suffix in (("raw", ""), ("known_value", ":known")):
            if row[name] is not None:
                answers = runs[run]["answers"]
                found = tuple(
                    Term(1 / len(answers), (n,), f"{stage}:{fate}{suffix}", kept)
                    for n in answers
                    for fate in fates_of(row["comparison"], row["change"])
                )
                yield Number(f"{address}/{name}", row[name], found)


def _checkpoints(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    model = record["wildcards"]["model"]
    probed = tuple(
        o for own in _of(results, record, "probe_knowledge").values() for o in own.values()
    )
    asked = {
        form: {key[0]: own[model] for key, own in _of(results, record, step).items()}
        for form, step in (("few_shot", "probe_checkpoint"), ("chat", "evaluate_checkpoint"))
    }
    for row in metrics["changes"]:
        roles = () if row["domain"] == ALL else tuple(f"{row['domain']}/{r}" for r in ROLES)
        place: Where = {"split": ("test",)} | ({"block": roles} if roles else {})
        base = Term(1.0, probed, "correct", place)
        outputs = (asked[row["format"]][row["checkpoint"]],)
        after = Term(1.0, outputs, "correct", place)
        found = {
            "before": (base,),
            "after": (after,),
            "change": (after, Term(-1.0, probed, "correct", place)),
            **{name: (Term(1.0, outputs, name, place),) for name in ("kl", "consistency")},
        }
        about = (row["checkpoint"], row["format"], row["domain"])
        for name, terms in found.items():
            address = "/".join(("checkpoint_changes", model, *about, name))
            yield Number(address, row[name], terms)


# The parts of the test pairs that have scores of their own.
SUBSETS: dict[str, Where] = {"all": {}, "hard": {"pair": ("hard",)}, "long": {"length": ("long",)}}


def _paraphrases(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    model = record["wildcards"]["paraphraser"]
    runs: dict[tuple[str, ...], list[str]] = {}
    of_start: dict[str, list[str]] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        wildcards = made["wildcards"] if made else {}
        if made and made["step"] == "score_paraphrases" and name.endswith("scores.parquet"):
            run = tuple(wildcards[key] for key in ("format", "share", "start"))
            runs.setdefault(run, []).append(name)
        elif made and made["step"] == "evaluate_tasks":
            of_start.setdefault(wildcards["start"], []).append(name)

    def terms(run: tuple[str, ...], row: Row, weight: float = 1.0) -> tuple[Term, ...]:
        place: Where = SUBSETS[row["subset"]]
        each = weight / len(runs[run])
        return tuple(Term(each, (name,), row["metric"], place) for name in runs[run])

    for table in ("scores", "differences"):
        for row in metrics[table]:
            # A pair without a value in one of the runs compared is left out of all of them.
            if row["pairs"] != metrics["design"]["pairs"][row["subset"]]:
                continue
            # BLEU of a part of the corpus is no mean of anything.
            if row["metric"] == "corpus_bleu4" and row["subset"] != "all":
                continue
            run = (row["format"], str(row["share"]), row["start"])
            found, about = terms(run, row), [*run, row["subset"], row["metric"]]
            if table == "differences":
                found += terms((*run[:2], row["baseline"]), row, -1.0)
                about.insert(3, row["baseline"])
            yield Number("/".join((f"paraphrase_{table}", model, *about)), row["value"], found)
    for start, tasks in metrics["tasks"].items():
        for task, of_task in tasks.items():
            # The mean over replicates.
            each = 1 / len(of_start[start])
            of_all = tuple(Term(each, (name,), task) for name in of_start[start])
            yield Number("/".join(("tasks", model, start, task)), of_task["mean"], of_all)


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


MAKERS = {
    "compare_groups": _knowledge,
    "stage_forgetting": _forgetting,
    "stage_checkpoints": _forgetting,
    "compare_checkpoints": _checkpoints,
    "compare_paraphrases": _paraphrases,
}

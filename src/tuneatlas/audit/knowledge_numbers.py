"""The numbers of the knowledge study, and those of checkpoints beside their base."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import SUM, Number, Point, Term, Where, blocks_of, inputs_of
from tuneatlas.data.scopes import ALL, AWAY, POOLED
from tuneatlas.studies.knowledge.claims import CONSISTENCY_TRACKS, DIFFERENCES
from tuneatlas.tables import ROLES, Row


def group_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``compare_groups``, from its record and its metrics."""
    model = record["wildcards"]["model"]
    tuned = inputs_of(results, record, "evaluate_knowledge")
    of_domain = inputs_of(results, record, "probe_knowledge")
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
    labels = inputs_of(results, record, "label_knowledge") | inputs_of(
        results, record, "read_groups"
    )
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


def checkpoint_numbers(
    results: Results, record: Row, metrics: Mapping[str, Any]
) -> Iterator[Number]:
    """Those of ``compare_checkpoints``, from its record and its metrics."""
    model = record["wildcards"]["model"]
    probed = tuple(
        o for own in inputs_of(results, record, "probe_knowledge").values() for o in own.values()
    )
    asked = {
        form: {key[0]: own[model] for key, own in inputs_of(results, record, step).items()}
        for form, step in (("few_shot", "probe_checkpoint"), ("chat", "evaluate_checkpoint"))
    }
    few_shot, chat = asked["few_shot"], asked["chat"]

    def where(row: Row) -> Where:
        roles = () if row["domain"] == ALL else tuple(f"{row['domain']}/{r}" for r in ROLES)
        subject = {"relation": (row["subject"],)} if "subject" in row else {}
        return {"split": ("test",), **({"block": roles} if roles else {}), **subject}

    def change(
        table: str, row: Row, about: tuple[str, ...], before: tuple[str, ...], after: str
    ) -> Iterator[Number]:
        """Accuracy of two models, whose outputs these are, and the change."""
        place = where(row)
        first, second = (Term(1.0, o, "correct", place) for o in (before, (after,)))
        less = Term(-1.0, before, "correct", place)
        found = {"before": (first,), "after": (second,), "change": (second, less)}
        for name, terms in found.items():
            address = "/".join((f"checkpoint_{table}", model, *about, name))
            yield Number(address, row[name], terms)

    for row in metrics["changes"]:
        about: tuple[str, ...] = (row["checkpoint"], row["format"], row["domain"])
        after = asked[row["format"]][row["checkpoint"]]
        yield from change("changes", row, about, probed, after)
        for name in ("kl", "consistency"):
            address = "/".join(("checkpoint_changes", model, *about, name))
            yield Number(address, row[name], (Term(1.0, (after,), name, where(row)),))
    for row in metrics["formats"]:
        name = row["checkpoint"]
        about = (name, row["domain"])
        yield from change("formats", row, about, (few_shot[name],), chat[name])
    for row in metrics["pairs"]:
        one, other = (asked[row["format"]][row[side]] for side in ("first", "second"))
        about = (row["first"], row["second"], row["format"], row["domain"])
        yield from change("pairs", row, about, (one,), other)
    for row in metrics["subjects"]:
        about = (row["checkpoint"], row["domain"], row["subject"])
        yield from change("subjects", row, about, probed, few_shot[row["checkpoint"]])

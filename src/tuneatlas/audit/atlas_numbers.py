"""The numbers of the atlas, each with the answers that it is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tuneatlas.audit.battery_numbers import battery_numbers
from tuneatlas.audit.inside_numbers import inside_numbers
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.terms import Number, Term, Where, blocks_where, inputs_of
from tuneatlas.data.scopes import ALL, seen_from
from tuneatlas.studies.atlas.tables import BASE, LINE, point_name
from tuneatlas.studies.forgetting.tables import stage_name
from tuneatlas.tables import Row


def atlas_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """Those of ``map_treatments``, from its record and its metrics, measure by measure."""
    for make in MEASURES:
        yield from make(results, record, metrics)


def interpolation_numbers(
    results: Results, record: Row, metrics: Mapping[str, Any]
) -> Iterator[Number]:
    """Accuracies between base and tuned."""
    model, design = record["wildcards"]["model"], metrics["design"]
    runs: dict[tuple[str, str], list[str]] = {}
    for (domain, group, _), made in inputs_of(results, record, "interpolate_weights").items():
        runs.setdefault((domain, group), []).extend(made.values())
    blocks = _blocks(_domains(results, runs), design)
    yield from battery_numbers(results, record, metrics, blocks)
    yield from inside_numbers(results, record, metrics)
    for row in metrics["interpolation"]:
        about = {} if design["facts"] == ALL else {"facts": (design["facts"],)}
        place: Where = {"block": blocks(row, row["scope"]), **about}
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


def distance_numbers(results: Results, record: Row, metrics: Mapping[str, Any]) -> Iterator[Number]:
    """How far each treatment went, and what it lost out of the domain."""
    model, design = record["wildcards"]["model"], metrics["design"]
    runs: dict[tuple[str, str], list[str]] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        if made and made["step"] == "measure_distance":
            own = made["wildcards"]
            runs.setdefault((own["domain"], own["group"]), []).append(name)
    if not runs:
        return
    blocks = _blocks(_domains(results, runs), design)
    about = {} if design["facts"] == ALL else {"facts": (design["facts"],)}
    for row in metrics.get("distances", ()):
        outputs = runs[row["domain"], row["group"]]
        asked = [name for name in outputs if name.endswith(".answers.parquet")]
        point = stage_name(row["setting"], row["step"])
        where: Where = {"block": blocks(row, "ood"), **about}
        each = 1 / len(asked)
        found = {
            "loss": tuple(
                Term(sign * each, (name,), f"{cell}:correct", where)
                for sign, cell in ((1, "base/0"), (-1, point))
                for name in asked
            )
        }
        for measure in ("options", "answers"):
            far = (name for name in outputs if name.endswith(".distances.parquet"))
            found[measure] = tuple(Term(each, (name,), f"{point}:{measure}") for name in far)
        for name, parts in found.items():
            address = ("distances", model, row["domain"], row["group"], point, name)
            yield Number("/".join(address), row[name], parts)


def relearning_numbers(
    results: Results, record: Row, metrics: Mapping[str, Any]
) -> Iterator[Number]:
    """Which facts are back, by text and update."""
    model = record["wildcards"]["model"]
    runs: dict[tuple[str, str], list[str]] = {}
    for (domain, group, _), made in inputs_of(results, record, "relearn_facts").items():
        runs.setdefault((domain, group), []).extend(made.values())
    for row in metrics.get("relearning", ()):
        outputs = runs[row["domain"], row["group"]]
        signs = {"lost": 1, "never": -1} if row["kind"] == "difference" else {row["kind"]: 1}
        terms = tuple(
            Term(sign / len(outputs), (name,), f"{row['text']}/{kind}/{row['update']}:back")
            for kind, sign in signs.items()
            for name in outputs
        )
        place = (row["domain"], row["group"], row["text"], str(row["update"]), row["kind"])
        yield Number("/".join(("relearning", model, *place)), row["back"], terms)


def _blocks(
    domains: Sequence[str], design: Mapping[str, Any]
) -> Callable[[Row, str], tuple[str, ...]]:
    """The blocks of a scope, seen from the treatment of a row."""
    # Older results know no checkpoints tuned elsewhere.
    roles, homes = design["ood_roles"], design.get("homes", {})

    def blocks(row: Row, scope: str) -> tuple[str, ...]:
        treatment = row["domain"], row["group"]

        def wanted(domain: str, role: str) -> bool:
            return seen_from(treatment, domain, role, roles, homes) == scope

        return blocks_where(domains, wanted)

    return blocks


def _domains(results: Results, runs: Mapping[tuple[str, str], list[str]]) -> list[str]:
    """The domains that were asked about."""
    names = [name for own in runs.values() for name in own]
    made = (results.records.get(n) for n in results.records[names[0]]["inputs"])
    return sorted(r["wildcards"]["domain"] for r in made if r and r["step"] == "prepare_questions")


MEASURES = (interpolation_numbers, distance_numbers, relearning_numbers)

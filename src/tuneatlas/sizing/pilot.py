"""How much the numbers of the claims vary: as a pilot measured it, or as it is stated.

Variances are in the squared unit of the claim: fractions of 1, or BLEU-4 from 0 to 100.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.statistics.power import (
    Components,
    components_of,
    components_of_replicates,
    sensitivity,
)
from tuneatlas.tables import Row

# Of the difference of claim (a), of the share actually forgotten, of BLEU-4 of both stages less
# plain: medians of three runs of the default experiment, of five base models each (AMD EPYC), on
# 390 and 373 test questions; of the last, one run of one start, on 150 test pairs. How starts vary
# is assumed: 1 BLEU-4.
STATED = {
    "s1": Components(questions=0.04, seeds=0.01**2, replicates=0.005**2, answers=0.08),
    "s2": Components(questions=0.08, seeds=0.008**2, replicates=0.024**2, answers=0.1),
    "s3": Components(questions=560.0, seeds=0.31**2, replicates=1.0),
}


@dataclass(frozen=True)
class Variances:
    """The variances of each study's claim, and in a few words where each comes from."""

    components: Mapping[str, Components]
    sources: Mapping[str, str]


def stated() -> Variances:
    """What is stated beforehand."""
    said = "stated: as in finished runs of the default experiment"
    return Variances(STATED, dict.fromkeys(STATED, said))


def read_pilot(results: Path, names: Mapping[str, str]) -> Variances:
    """Variances from the results of a pilot; as stated for a study that it does not have.

    ``names``: of the base model and the paraphraser in this experiment, by kind; a pilot of one
    model by another name is taken for it.

    Raises:
        UserError: there is no comparison in the folder, or one is of another form.
    """
    folders = {"s1": "compare_groups", "s2": "stage_forgetting", "s3": "compare_paraphrases"}
    makers = {"s1": _of_groups, "s2": _of_fates, "s3": _of_paraphrases}
    components, sources = dict(STATED), dict(stated().sources)
    found = False
    for study, folder in folders.items():
        path = _metrics(results / folder, names["paraphraser" if study == "s3" else "model"])
        if path is None:
            continue
        found = True
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))
            measured = makers[study](metrics)
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
            raise UserError(
                f"{path}: not the metrics of a finished {folder} of this version ({error!r}); "
                "name the results folder of a run that ended"
            ) from None
        if measured is not None:
            components[study] = measured
            sources[study] = f"of the pilot, {path}"
    if not found:
        raise UserError(
            f"{results}: holds no compare_groups, stage_forgetting or compare_paraphrases; name "
            "the results folder of a finished run, or leave --pilot out for stated variances"
        )
    return Variances(components, sources)


def _metrics(folder: Path, name: str) -> Path | None:
    found = {path.parent.name: path for path in sorted(folder.glob("*/metrics.json"))}
    if name in found or not found:
        return found.get(name)
    if len(found) > 1:
        raise UserError(
            f"{folder}: holds {', '.join(found)}, and none of the name {name or '(no model)'!r}; "
            "a pilot of another name has one model"
        )
    return next(iter(found.values()))


def _error(row: Row, metrics: Mapping[str, Any]) -> float | None:
    return sensitivity(row["low"], row["high"], metrics["design"]["confidence"]).standard_error


def _of_one(
    study: str, error: float, per_seed: Sequence[float], questions: int, domains: int = 1
) -> Components:
    """Of a pilot of one base model: how base models vary is as stated, as only several can tell."""
    measured = components_of(error, per_seed, questions, domains)
    return replace(measured, replicates=STATED[study].replicates)


def _of_groups(metrics: Mapping[str, Any]) -> Components | None:
    """Of INCOMPATIBLE less SELF-ALIGNING, over all away scopes."""
    claims = [r for r in metrics["claims"] if r["claim"] == "incompatible_worse"]
    headline = next((r for r in claims if r["headline"]), None)
    if headline is None or (error := _error(headline, metrics)) is None:
        return None
    if headline.get("replicates", 1) > 1:
        return components_of_replicates(
            error,
            _of_runs(metrics["accuracy"]),
            metrics["design"]["answer_variance"],
            headline["items"],
            headline["domains"],
        )
    accuracy = {
        (r["domain"], r["scope"], r["group"], r["seed"]): r["accuracy"] for r in metrics["accuracy"]
    }
    cells = sorted({key[:2] for key in accuracy if key[1] != "homo"})
    seeds = sorted({seed for *_, group, seed in accuracy if group != "base" and seed != "all"})
    per_seed = [
        mean(accuracy[(*c, "incompatible", s)] - accuracy[(*c, "self_aligning", s)] for c in cells)
        for s in seeds
    ]
    return _of_one("s1", error, per_seed, headline["items"], headline["domains"])


def _of_runs(rows: Sequence[Row]) -> list[list[float]]:
    """INCOMPATIBLE less SELF-ALIGNING in each seed of each base model, over all away scopes."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        if row.get("replicate") and row["scope"] != "homo":
            run = (row["replicate"], row["seed"], row["group"])
            found.setdefault(run, []).append(row["accuracy"])
    each: dict[str, list[float]] = {}
    for replicate, seed, group in found:
        if group == "incompatible":
            one, two = (mean(found[replicate, seed, g]) for g in (group, "self_aligning"))
            each.setdefault(replicate, []).append(one - two)
    return list(each.values())


def _by_replicate(values: Sequence[float], replicates: int) -> list[Sequence[float]]:
    """The seeds of each replicate, from those of each in turn."""
    size = len(values) // replicates
    return [values[size * n :][:size] for n in range(replicates)]


def _of_fates(metrics: Mapping[str, Any]) -> Components | None:
    """Of the share actually forgotten at the last step, the mean over runs."""
    last, names = metrics["design"]["steps"][-1], metrics["design"].get("replicates", ())
    rows = [
        r
        for r in metrics["fates"]
        if (r["fate"], r["setting"], r["step"]) == ("actually_forgotten", "stages", last)
    ]
    shares = [(r, [count / r["n"] for count in r["counts"]]) for r in rows]
    answers = metrics["design"]["answer_variance"]
    found = [
        components_of_replicates(error, _by_replicate(own, len(names)), answers, r["n"])
        if len(names) > 1
        else _of_one("s2", error, own, r["n"])
        for r, own in shares
        if (error := _error(r, metrics)) is not None
    ]
    if not found:
        return None
    return Components(
        questions=mean(c.questions for c in found),
        seeds=mean(c.seeds for c in found),
        replicates=mean(c.replicates for c in found),
        answers=answers,
    )


def _of_paraphrases(metrics: Mapping[str, Any]) -> Components | None:
    """Of BLEU-4 of both stages less plain, with most training pairs and the first format."""
    design = metrics["design"]
    where = {"format": design["formats"][0], "share": max(design["shares"])}
    wanted = {"start": "both", "baseline": "plain", "metric": "corpus_bleu4", "subset": "all"}

    def those(table: str, **more: Any) -> list[Row]:
        return [r for r in metrics[table] if all(r[k] == v for k, v in (where | more).items())]

    row = next(iter(those("differences", **wanted)), None)
    if row is None or (error := _error(row, metrics)) is None:
        return None
    both, plain = (those("corpus_bleu4", start=start)[0]["seeds"] for start in ("both", "plain"))
    per_seed = [one - other for one, other in zip(both, plain, strict=True)]
    if (replicates := row.get("replicates", 1)) > 1:
        return components_of_replicates(
            error, _by_replicate(per_seed, replicates), 0.0, row["pairs"]
        )
    return _of_one("s3", error, per_seed, row["pairs"])

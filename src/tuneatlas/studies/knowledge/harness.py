"""Tasks of lm-evaluation-harness: what each model scores, and what tuning and restoration change.

Values are in the unit of each metric. Scores and standard errors are the library's own; changes are
paired by item, with intervals over items, of one tuning and one restoration each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.models.harness_items import HARNESS_ITEMS
from tuneatlas.statistics.bootstrap import percentile_interval, resample_items
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.statistics.tests import holm, mcnemar
from tuneatlas.tables import Row

# What names a score of a model.
SCORE = ("task", "filter", "metric")
COLUMNS = ("id", *SCORE, "value")
# How far a mean of items may be from the library's own, by rounding.
CLOSE = 1e-9
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Asked:
    """A model: its name, its kind, which models it was made from, and what it scored.

    ``metrics`` are those of step ``evaluate_harness``; ``values`` of items by task, filter and
    metric, then id: of those metrics whose score is the mean of them.
    """

    model: str
    kind: str
    after: Sequence[str]
    metrics: Mapping[str, Any]
    values: Mapping[Key, Mapping[str, float]]


def read_asked(told: Sequence[Row], metrics: Sequence[Path], items: Sequence[Path]) -> list[Asked]:
    """The models, from what is told of each and the two files that it has, in the same order."""
    found = []
    for entry, path, table in zip(told, metrics, items, strict=True):
        scored = json.loads(path.read_text(encoding="utf-8"))
        values: dict[Key, dict[str, float]] = {}
        for row in HARNESS_ITEMS.read(table, COLUMNS):
            if row["value"] is not None:
                key = (row["task"], row["filter"], row["metric"])
                values.setdefault(key, {})[row["id"]] = row["value"]
        kept = {key: own for key, own in values.items() if _is_mean(scored, key, own)}
        found.append(Asked(entry["model"], entry["kind"], entry["after"], scored, kept))
    return found


def _is_mean(metrics: Mapping[str, Any], key: Key, values: Mapping[str, float]) -> bool:
    """Whether a score is the mean of its items: not so of a perplexity, or of an F1 of all."""
    score = metrics["results"][key[0]].get(f"{key[2]},{key[1]}")
    mean = float(np.mean(list(values.values())))
    return isinstance(score, int | float) and abs(mean - score) <= CLOSE * max(1.0, abs(score))


def compare_harness(
    asked: Sequence[Asked], options: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Tables ``scores``, of every model, and ``changes``, of each beside what it was made from.

    P-values are of McNemar's exact test, where an item is right or wrong, corrected (Holm) over all
    changes; of other metrics there is an interval alone.

    Raises:
        UserError: two models were asked other items.
    """
    rng = np.random.default_rng(seed)
    by_name = {one.model: one for one in asked}
    scores = [row for one in asked for row in _scores(one)]
    changes: list[Row] = [
        {"first": first, "second": one.model, **dict(zip(SCORE, key, strict=True))}
        | _change(by_name[first], one, key, options, rng)
        for one in asked
        for first in one.after
        for key in by_name[first].values
        if key in one.values
    ]
    tested = [row for row in changes if row["p"] is not None]
    for row, corrected in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = float(corrected)
    design = {
        "library": asked[0].metrics["library"],
        "versions": asked[0].metrics["versions"],
        "shots": asked[0].metrics["shots"],
        **options,
    }
    found: dict[str, Any] = plain({"scores": scores, "changes": changes})
    return found | {"design": design}


def _scores(one: Asked) -> Iterator[Row]:
    """A row per score, of groups of tasks too, which have no items of their own."""
    for task, found in one.metrics["results"].items():
        for name, value in found.items():
            metric, comma, kind = name.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = found.get(f"{metric}_stderr,{kind}")
            items = one.metrics["items"].get(task, {}).get("effective")
            yield {
                **{"model": one.model, "kind": one.kind},
                **dict(zip(SCORE, (task, kind, metric), strict=True)),
                **{"items": items, "value": value},
                "standard_error": error if isinstance(error, int | float) else None,
                "averaged": (task, kind, metric) in one.values,
            }


def _change(
    first: Asked,
    second: Asked,
    key: Key,
    options: Mapping[str, Any],
    rng: np.random.Generator,
) -> Row:
    one, other = first.values[key], second.values[key]
    if differ := sorted(one.keys() ^ other.keys()):
        raise UserError(
            f"task {key[0]}: {first.model} and {second.model} were asked other items "
            f"({len(differ)} differ, such as {differ[0]}): run evaluate_harness of both again"
        )
    both = np.array([[table[i] for i in one] for table in (one, other)])
    draws = resample_items(both, options["draws"], rng)
    before, after = map(float, both.mean(axis=1))
    change = percentile_interval(after - before, draws[:, 1] - draws[:, 0], options["confidence"])
    row: Row = {"items": len(one), "before": before, "after": after}
    row |= interval_columns("change", change)
    judged = bool(np.isin(both, (0.0, 1.0)).all())
    test = mcnemar(both[0], both[1]) if judged else None
    return row | {
        "lost": test and test.lost,
        "gained": test and test.gained,
        "p": test and test.p,
        "p_holm": None,
    }

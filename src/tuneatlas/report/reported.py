"""Numbers that the papers report, beside those of a run with the papers' models and data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import yaml

from tuneatlas.data.groups import group_name, self_aligning_share
from tuneatlas.data.scopes import ALL, scopes_of
from tuneatlas.report.wording import SCOPE_NAMES, number, points, signed
from tuneatlas.studies.knowledge.claims import DIFFERENCES
from tuneatlas.studies.syntax.paraphrasing.starts import BOTH, METRIC
from tuneatlas.tables import Row


class Beside(NamedTuple):
    """An effect, on what, as reported and from where, and this run's number in words."""

    effect: str
    tests: str
    reported: str
    source: str
    ours: str


def reported_for(config: Mapping[str, Any], model: str) -> list[Row]:
    """What is reported of the models and data of an experiment; nothing if they are not a paper's.

    S1's is the paper's if all that is tuned on is the authors' data; S3's by the name of the file
    of test pairs.

    Args:
        config: the resolved experiment.
        model: name of the base model in it.
    """
    found = yaml.safe_load((files("tuneatlas.report") / "reported.yaml").read_text("utf-8"))
    tuned = [domain for domain in config["domains"].values() if domain["tune"]]
    theirs = bool(tuned) and all(domain["source"] == "self_aligning" for domain in tuned)
    own = config["models"][model].get("id")
    pairs = str((config["prepare_sentences"]["files"] or {}).get("test") or "").lower()
    knowledge = [row for row in found["knowledge"] if theirs and own in row["models"]]
    syntax = [
        {**row, "paraphraser": name}
        for name, options in config["paraphrasers"].items()
        for row in found["syntax"]
        if options.get("id") in row["models"] and row["data"] in pairs
    ]
    return knowledge + syntax


def beside_reported(
    reported: Sequence[Row],
    metrics: Mapping[str, Any],
    paraphrases: Mapping[str, Mapping[str, Any]],
) -> list[Beside]:
    """Each number reported with this run's, a dash where it has none.

    ``paraphrases`` are the metrics of the syntax study by encoder-decoder.
    """
    return [
        Beside(row["effect"], tests, row["reported"], row["source"], ours)
        for row in reported
        for tests, ours in (
            _paraphrased(row["data"], paraphrases.get(row["paraphraser"]))
            if "paraphraser" in row
            else [_known(row["measure"], metrics)]
        )
    ]


def _known(measure: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[str, str]:
    """Which tests a number of S1 is of, and the number."""
    scope = measure["scope"]
    if "correlation" in measure:
        row = _claim(metrics, measure["correlation"], scope)
        told = _with_interval(row, signed) if row else number(None)
    elif "kl" in measure:
        best = measure["kl"] == "best"
        group = _best_mixture(metrics) if best else measure["kl"]
        told = number(_mean(metrics, group, "kl", scope))
        told += f" ({group_name(group)})" if best and group else ""
    else:
        first, second = measure["difference"]
        told = _difference(metrics, first, second, scope)
    return SCOPE_NAMES[scope], told


def _difference(metrics: Mapping[str, Any], first: str, second: str, scope: str) -> str:
    """Points of accuracy between two groups; with an interval where it is a claim, or its turn."""
    for claim in DIFFERENCES:
        row = _claim(metrics, claim.claim, scope)
        if row and (claim.first, claim.second) == (first, second):
            return _with_interval(row, points)
        if row and (claim.second, claim.first) == (first, second):
            turned = {"value": -row["value"], "low": -row["high"], "high": -row["low"]}
            return _with_interval(turned, points)
    one, other = (_mean(metrics, group, "accuracy", scope) for group in (first, second))
    return points(None if one is None or other is None else one - other)


def _claim(metrics: Mapping[str, Any], claim: str, scope: str) -> Row | None:
    """The row of a claim over all domains."""
    name = (claim, ALL, scope)
    rows = metrics["claims"]
    return next((r for r in rows if (r["claim"], r["domain"], r["scope"]) == name), None)


def _mean(metrics: Mapping[str, Any], group: str | None, measure: str, scope: str) -> float | None:
    """Mean over tuned domains, and scopes if it is of several, with equal weights."""
    values = [
        row[measure]
        for row in metrics["accuracy"]
        if (row["group"], row["seed"]) == (group, ALL) and row["scope"] in scopes_of(scope)
    ]
    return float(np.mean(values)) if values else None


def _best_mixture(metrics: Mapping[str, Any]) -> str | None:
    """The most accurate of INCOMPATIBLE, SELF-ALIGNING and their mixtures, over all tests."""
    groups = {row["group"] for row in metrics["accuracy"]}
    means = {
        group: _mean(metrics, group, "accuracy", ALL)
        for group in sorted(groups)
        if self_aligning_share(group) is not None
    }
    return max(means, key=lambda group: means[group] or 0.0, default=None)


def _paraphrased(data: str, metrics: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """BLEU-4 of T5 with both stages in each format that is shown no tree of the reference."""
    design = metrics["design"] if metrics else {"formats": [], "oracles": [], "shares": [0]}
    for kind in design["formats"]:
        run = (BOTH, kind, max(design["shares"]), "all", METRIC)
        keys = ("start", "format", "share", "subset", "metric")
        rows = metrics["scores"] if metrics else []
        row = next((r for r in rows if tuple(r[key] for key in keys) == run), None)
        if row and kind not in design["oracles"]:
            yield f"{data}, {kind}", _with_interval(row, lambda value: number(value, 1))


def _with_interval(row: Mapping[str, Any], form: Callable[[float], str]) -> str:
    return f"{form(row['value'])} [{form(row['low'])}, {form(row['high'])}]"

"""What the atlas found, measure by measure, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneatlas.report.atlas_law import law_sentences
from tuneatlas.report.atlas_relearning import relearning_sentences
from tuneatlas.report.forgetting import SCOPE_PLACES
from tuneatlas.report.inside import changed, inside
from tuneatlas.report.recovery import recovered
from tuneatlas.report.rewards import rewarded
from tuneatlas.report.treatments import Found, treatment_name
from tuneatlas.report.wording import counted, level_of, percent, points
from tuneatlas.studies.atlas.tables import ALPHA, LINE, RESET
from tuneatlas.tables import Row


@dataclass(frozen=True)
class Atlas:
    """The part of the page on the atlas; ``links`` is the folder of its files."""

    metrics: Mapping[str, Any]
    links: str
    of: str
    between: list[Found]
    recovered: list[Found]
    changed: list[Found]
    inside: list[Found]
    law: list[str]
    relearnt: list[str]
    rewarded: list[str]


def atlas_part(metrics: Mapping[str, Any], links: str) -> Atlas:
    """The part of the page, from the metrics.json of step ``map_treatments``."""
    design = metrics["design"]
    trainings = [
        counted(len(design[name]), noun)
        for name, noun in (("replicates", "base model"), ("seeds", "tuning seed"))
    ]
    return Atlas(
        metrics=metrics,
        links=links,
        of=" and ".join(trainings),
        between=_between(metrics),
        recovered=recovered(metrics),
        changed=changed(metrics),
        inside=inside(metrics),
        law=law_sentences(metrics),
        relearnt=relearning_sentences(metrics),
        rewarded=rewarded(metrics),
    )


def _between(metrics: Mapping[str, Any]) -> list[Found]:
    rows: Sequence[Row] = metrics["interpolation"]
    found: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in rows:
        treatment = (row["domain"], row["group"], row["setting"])
        found.setdefault(treatment, {}).setdefault(row["scope"], []).append(row)
    return [
        Found(
            treatment_name(*treatment),
            [_between_text(scope, own, level_of(metrics)) for scope, own in scopes.items()],
        )
        for treatment, scopes in found.items()
    ]


def _between_text(scope: str, rows: Sequence[Row], level: str) -> str:
    line = [row for row in rows if row["path"] == LINE]
    tuned = next(row for row in line if row["point"] == 1)
    place = SCOPE_PLACES[scope]
    text = (
        f"{place[0].upper()}{place[1:]}, {counted(tuned['items'], 'question')}: "
        f"{percent(tuned['base'])} right before tuning, {percent(tuned['accuracy'])} after "
        f"({_change(tuned, 'gain')}; {level} intervals)"
    )
    if inner := [row for row in line if 0 < row["point"] < 1]:
        middle = min(inner, key=lambda row: abs(row["point"] - 0.5))
        text += (
            f". At {ALPHA} = {middle['point']:g}, {percent(middle['accuracy'])}: "
            f"{_change(middle, 'regained')} beside the tuned model and {_change(middle, 'gain')} "
            "beside the base"
        )
    if undone := [row for row in rows if row["path"] == RESET]:
        first, last = (pick(undone, key=lambda row: row["point"]) for pick in (min, max))
        told = [
            f"{row['point']:g}%, {percent(row['accuracy'])} ({_change(row, 'regained')} beside the "
            "tuned model)"
            for row in ([first] if first is last else [first, last])
        ]
        text += f". With the most changed weights set back, the first {'; with '.join(told)}"
    return f"{text}."


def _change(row: Row, name: str) -> str:
    return (
        f"{points(row[name])} points, {points(row[f'{name}_low'])} to {points(row[f'{name}_high'])}"
    )

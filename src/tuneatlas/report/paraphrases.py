"""What the syntax study found, in plain words, and the trees that go with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tuneatlas.report.paraphrase_systems import system_rows
from tuneatlas.report.tree_drawing import draw_tree
from tuneatlas.report.wording import (
    ENDINGS,
    Scale,
    counted,
    how_sure,
    level_of,
    number,
    replicated,
    signed,
)
from tuneatlas.statistics.manipulation import reasons
from tuneatlas.statistics.metrics import UNDECIDED
from tuneatlas.studies.syntax.paraphrasing.starts import (
    BOTH,
    CONTROL,
    DRAWN,
    METRIC,
    SUBSETS,
    VANILLA,
    start_name,
)
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import words
from tuneatlas.tables import Row

# Trees are drawn to this depth, unless distances are taken at another.
HEIGHT = 5
# In the table beside what is drawn.
BESIDE = ("ted_r", "self_copy")
RANKS = ("near the top", "in the middle", "near the end")


@dataclass(frozen=True)
class Example:
    """A test pair as it is shown: what it is, its scores, and its drawings by name."""

    title: str
    scores: str
    trees: dict[str, Markup]
    target: str
    sentence: str
    reason: str


@dataclass(frozen=True)
class Paraphrases:
    """The part of the page that is about syntax; ``links`` is the folder of its files."""

    name: str
    metrics: Mapping[str, Any]
    links: str
    figures: Mapping[str, Markup]
    verdict: str
    finding: str
    evidence: str
    reason: str
    rows: list[Row]
    table: list[Row]
    ablations: list[Row]
    systems: list[Row]
    examples: list[Example]
    height: int
    scale: Scale


def paraphrases_part(
    metrics: Mapping[str, Any], links: str, figures: Mapping[str, Markup]
) -> Paraphrases:
    """The part of the page, from the metrics.json of step ``compare_paraphrases``."""
    design = metrics["design"]
    cut = [int(row["metric"].split("@")[1]) for row in metrics["scores"] if "@" in row["metric"]]
    height = min(cut, default=HEIGHT)
    rows = _claimed(metrics)
    verdict, finding, evidence = _claim(metrics, rows)
    ends = [row[end] for row in rows for end in ("low", "high")]
    return Paraphrases(
        name=links.rsplit("/", 1)[-1],
        metrics=metrics,
        links=links,
        figures=figures,
        verdict=verdict,
        finding=finding,
        evidence=evidence,
        reason=_reason(metrics, rows),
        rows=rows,
        table=[
            row
            for kind in design["formats"]
            for share in design["shares"]
            for row in _table(metrics, kind, share)
        ],
        ablations=_ablations(metrics),
        systems=system_rows(metrics),
        examples=[_example(row, height) for row in metrics["examples"]],
        height=height,
        scale=Scale.around(ends, 1.0),
    )


def _claimed(metrics: Mapping[str, Any]) -> list[Row]:
    """Both stages minus a baseline, the claim's row first.

    The claim is about the control, T5 trained for as long; without one it is about T5 as it is.
    """
    design = metrics["design"]
    control = CONTROL if CONTROL in design["starts"] else VANILLA
    rows = [
        row
        for row in metrics["differences"]
        if (row["start"], row["metric"]) == (BOTH, METRIC) and row["format"] == design["formats"][0]
    ]
    share = max(design["shares"])
    for row in rows:
        row["headline"] = (row["baseline"], row["share"], row["subset"]) == (control, share, "all")
    return sorted(
        rows,
        key=lambda r: (not r["headline"], r["baseline"] != control, -r["share"], r["subset"]),
    )


def _ablations(metrics: Mapping[str, Any]) -> list[Row]:
    """What each start that is not whole has less than both stages; a cell for each metric drawn."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in metrics["differences"]:
        if row["baseline"] == BOTH and row["subset"] == "all" and row["metric"] in DRAWN:
            run = {key: row[key] for key in ("format", "share", "start")}
            own = {
                **run,
                "name": start_name(row["start"]),
                "without": metrics["design"]["without"].get(row["start"], ()),
                "cells": {},
            }
            found.setdefault(tuple(run.values()), own)["cells"][row["metric"]] = row
    return list(found.values())


def _claim(metrics: Mapping[str, Any], rows: Sequence[Row]) -> tuple[str, str, str]:
    if not rows:
        return UNDECIDED, "This run has no model of both stages beside T5: nothing to compare.", ""
    row, level, design = rows[0], level_of(metrics), metrics["design"]
    means = {
        r["start"]: r["value"]
        for r in metrics["scores"]
        if all(r[k] == row[k] for k in ("format", "share", "subset", "metric"))
    }
    way = "higher" if row["value"] > 0 else "lower"
    ending = ENDINGS[row["verdict"]]
    if row["value"] == 0:
        way, ending = "different", ": these runs cannot tell."
    finding = (
        f"After both stages BLEU-4 is {number(abs(row['value']), 1)} {way} "
        f"{'from' if row['value'] == 0 else 'than'} that of "
        f"{start_name(row['baseline'])}: {number(means[BOTH], 1)} against "
        f"{number(means[row['baseline']], 1)}{ending}"
    )
    if row["baseline"] != CONTROL:
        finding += (
            f" No run starts from {start_name(CONTROL)}: what the stages add cannot be told from"
            " what longer training adds."
        )
    evidence = (
        f"Difference {signed(row['value'], 1)}, {level} interval {signed(row['low'], 1)} to "
        f"{signed(row['high'], 1)}; n = {counted(row['pairs'], 'test pair')}, "
        f"{counted(row['seeds'], 'seed')}{_resampled(row)}; BLEU-4 of all paraphrases together "
        f"(multi-bleu, lower case), 0 to 100. {_replicated(row, design)}"
    )
    return row["verdict"], finding, evidence


def _resampled(row: Row) -> str:
    return ", both resampled" if row["replicates"] == 1 else " of each replicate"


def _replicated(row: Row, design: Mapping[str, Any]) -> str:
    """With how many starts the claim was found; whether they are of one model that was brought."""
    one = design["one_start"]
    return replicated(
        row,
        lambda value: signed(value, 1),
        "the pre-training in stages" if one else "T5 and its stages",
        " All start from one model: it holds for this model." if one else "",
    )


def _reason(metrics: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """How sure the claim is, or why it cannot be told."""
    if not rows:
        return ""
    row = rows[0]
    failed = reasons([check for check in metrics["checks"] if check["group"] == BOTH])
    shown = None if row["decidable"] is None else f"{row['decidable']:.1f} BLEU-4"
    return how_sure(row["verdict"], {**row, "reason": "; ".join(failed)}, shown, "differences")


def _table(metrics: Mapping[str, Any], kind: str, share: int) -> list[Row]:
    """A row per start, with a cell per subset and metric drawn, and corpus BLEU-4."""
    found = []
    for start in metrics["design"]["starts"]:
        run = {"start": start, "format": kind, "share": share}

        def own(row: Row, run: Row = run) -> bool:
            return all(row[key] == value for key, value in run.items())

        cells = {
            (row["subset"], row["metric"]): row
            for row in metrics["scores"]
            if own(row) and row["metric"] in (*DRAWN, *BESIDE)
        }
        found.append(
            {
                **run,
                "name": start_name(start),
                "cells": {
                    subset: {m: c for (s, m), c in cells.items() if s == subset}
                    for subset in SUBSETS
                },
                "tokens": metrics["tokens"].get(start),
            }
        )
    return found


def _example(row: Row, height: int) -> Example:
    place = min(int(row["rank"] * len(RANKS)), len(RANKS) - 1)
    shown = {name: row[name] for name in ("source", "exemplar", "output")}
    return Example(
        title=f"{RANKS[place].capitalize()} (rank {100 * row['rank']:.0f} of 100)",
        scores=f"BLEU-4 {row['bleu4']:.1f}, {counted(round(row['ted_r']), 'edit')} to the tree of "
        "the reference",
        trees={n: draw_tree(text, height, n.capitalize()) for n, text in shown.items() if text},
        target=" ".join(words(read_bracket(row["target"], row["id"]))),
        sentence=row["sentence"],
        reason=row["reason"],
    )

"""Other systems in the part of the page that is about syntax."""

from collections.abc import Mapping
from typing import Any

from tuneatlas.studies.syntax.paraphrasing.starts import BOTH, METRIC, SUBSETS
from tuneatlas.tables import Row

# What is odd about outputs, as counted by step score_systems, to be said of some of them.
ODD = {
    "empty": "{} empty",
    "odd spacing": "{} oddly spaced",
    "lower case": "{} in lower case",
    "unfinished": "{} without an end mark",
    "with signs of a tokenizer": "{} with signs of a tokenizer (<unk>, @@)",
    "not word by word": "{} not written word by word, as references are (tokenise: true cuts them)",
    "of another form": "{} not in the format named",
}


def system_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """A row per system: its name, its cells by subset and metric, and what ours has more.

    Ours are the models of both stages, or the last start if there are none, in the first format,
    tuned on the most pairs.
    """
    design = metrics["design"]
    start = BOTH if BOTH in design["starts"] else design["starts"][-1]
    ours = {"start": start, "format": design["formats"][0], "share": max(design["shares"])}
    found: dict[str, Row] = {}
    for row in metrics.get("system_scores", ()):
        own = found.setdefault(
            row["system"],
            {
                "name": row["system"],
                "cells": {subset: {} for subset in SUBSETS},
                "ours": start,
                "odd": _odd(metrics["odd_outputs"][row["system"]]),
            },
        )
        own["cells"][row["subset"]][row["metric"]] = row
    for row in metrics.get("system_differences", ()):
        of_ours = all(row[key] == value for key, value in ours.items())
        if of_ours and (row["subset"], row["metric"]) == ("all", METRIC):
            found[row["system"]]["less"] = row
    return list(found.values())


def _odd(counts: Mapping[str, Any]) -> str:
    """What is odd about outputs, in words; empty if nothing is."""
    told = [said.format(f"{counts[name]:,}") for name, said in ODD.items() if counts.get(name)]
    if unparsed := sum(counts.get("not parsed", {}).values()):
        told.append(f"{unparsed:,} without a tree")
    return ", ".join(told)

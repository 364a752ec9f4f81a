"""Other systems in the part of the page that is about syntax."""

from collections.abc import Mapping
from typing import Any

from tuneatlas.studies.syntax.paraphrasing.starts import BOTH, METRIC, SUBSETS
from tuneatlas.tables import Row


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
            {"name": row["system"], "cells": {subset: {} for subset in SUBSETS}, "ours": start},
        )
        own["cells"][row["subset"]][row["metric"]] = row
    for row in metrics.get("system_differences", ()):
        of_ours = all(row[key] == value for key, value in ours.items())
        if of_ours and (row["subset"], row["metric"]) == ("all", METRIC):
            found[row["system"]]["less"] = row
    return list(found.values())

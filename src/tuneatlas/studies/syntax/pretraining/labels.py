"""The labels of all trees, which stage 2 adds to the vocabulary."""

import json
from typing import Any

from tuneatlas.engine.files import write_text
from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.pretraining import flat
from tuneatlas.studies.syntax.trees.linear import unescape
from tuneatlas.studies.syntax.trees.parse import read_parses


def collect_labels(step: Step) -> dict[str, Any]:
    """Write the labels of all trees as a sorted list in JSON."""
    found = {name for _, tree in read_parses(step) for name in flat.labels(tree)}
    labels = sorted(map(unescape, found))
    write_text(step.outputs["labels"], json.dumps(labels) + "\n")
    return {"labels": len(labels)}

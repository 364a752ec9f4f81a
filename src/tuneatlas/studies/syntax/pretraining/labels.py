"""The labels of all trees, which stage 2 adds to the vocabulary."""

import json
from typing import Any

from tuneatlas.engine.files import write_text
from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.parse import read_parses
from tuneatlas.studies.syntax.trees.trees import nodes


def collect_labels(step: Step) -> dict[str, Any]:
    """Write the labels of all trees as a sorted list in JSON."""
    trees = (read_bracket(tree) for _, tree in read_parses(step))
    labels = sorted({node.label for tree in trees for _, node in nodes(tree)})
    write_text(step.outputs["labels"], json.dumps(labels) + "\n")
    return {"labels": len(labels)}

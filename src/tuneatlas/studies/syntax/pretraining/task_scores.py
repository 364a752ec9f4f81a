"""Scores of written trees and of pre-training tasks, without the libraries of text metrics.

Importing those takes two seconds, and every step that runs a model imports this.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.statistics.bleu import bleu, bleu_counts
from tuneatlas.studies.syntax.pretraining.tasks import Score
from tuneatlas.studies.syntax.trees.linear import SEP, Form
from tuneatlas.studies.syntax.trees.trees import Tree

# The items of a text that are compared one by one.
ITEMS: Mapping[str, Callable[[str], list[str]]] = {
    "span_f1": lambda text: [" ".join(part.split()) for part in text.split(SEP)],
    "label_f1": str.split,
}


def brackets(tree: Tree) -> Counter[tuple[str, int, int]]:
    """Label and span of every node; a bare node takes the room of a word."""
    found: Counter[tuple[str, int, int]] = Counter()

    def visit(node: Tree, start: int) -> int:
        end = start
        for child in node.children:
            end = end + 1 if isinstance(child, str) else visit(child, end)
        end = max(end, start + 1)
        found[node.label, start, end] += 1
        return end

    visit(tree, 0)
    return found


def f1(found: Counter[Any], wanted: Counter[Any]) -> float:
    """Harmonic mean of precision and recall of a bag, 0 to 1."""
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0


def bracket_f1(candidate: Tree | None, reference: Tree) -> float:
    """Labelled bracket F1 over all nodes; no tree has no bracket right."""
    return f1(brackets(candidate), brackets(reference)) if candidate else 0.0


def task_score(kind: Score, output: str, target: str, form: Form) -> float | None:
    """How near an output is to a pre-training task's target, 0 to 1; None: see `task_bleu`."""
    output = " ".join(output.split())
    if kind == "bleu":
        return None
    if kind == "exact_match":
        return float(output == target)
    if kind != "bracket_f1":
        return f1(*(Counter(ITEMS[kind](text)) for text in (output, target)))
    try:
        tree = form.read(output, "output")
    except UserError:
        return 0.0
    return bracket_f1(tree, form.read(target))


def task_bleu(outputs: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]) -> float:
    """BLEU-4, 0 to 1, of all outputs of a task together, each a list of the tokenizer's pieces."""
    counts = [bleu_counts(*pair) for pair in zip(outputs, targets, strict=True)]
    return float(bleu(np.sum(counts, axis=0))) / 100

"""The labels of all trees, which models that read trees are given as tokens."""

from collections.abc import Iterable

from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import nodes


def labels_of(trees: Iterable[str]) -> list[str]:
    """The labels of trees in brackets, sorted."""
    return sorted({node.label for tree in trees for _, node in nodes(read_bracket(tree))})

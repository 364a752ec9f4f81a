"""Tree edit distance after Zhang and Shasha (1989): unit costs, compiled."""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tuneatlas.syntax.trees import Tree, leafless

Ints = npt.NDArray[np.int32]


class Coded(NamedTuple):
    """A tree in post-order: each node's label, its leftmost leaf, and the key roots."""

    labels: Ints
    leftmost: Ints
    keyroots: Ints


class Coder:
    """Codes trees; only trees of the same coder can be compared."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, tree: Tree) -> Coded:
        """Labels and words alike become nodes."""
        labels: list[int] = []
        leftmost: list[int] = []

        def visit(node: Tree | str) -> int:
            below = () if isinstance(node, str) else node.children
            firsts = [visit(child) for child in below]
            name = node if isinstance(node, str) else node.label
            leftmost.append(firsts[0] if firsts else len(labels))
            labels.append(self.numbers.setdefault(name, len(self.numbers)))
            return leftmost[-1]

        visit(tree)
        # A key root is the last node with its leftmost leaf.
        last = {first: at for at, first in enumerate(leftmost)}
        arrays = (labels, leftmost, sorted(last.values()))
        return Coded(*(np.array(values, np.int32) for values in arrays))


@numba.njit(cache=True)
def _distance(
    labels1: Ints, left1: Ints, keys1: Ints, labels2: Ints, left2: Ints, keys2: Ints
) -> int:  # pragma: no cover (compiled)
    n, m = len(labels1), len(labels2)
    trees = np.zeros((n, m), np.int32)
    forest = np.zeros((n + 1, m + 1), np.int32)
    for i in keys1:
        for j in keys2:
            # forest[a, b]: distance between nodes left1[i]..a-1 and left2[j]..b-1, offset by 1.
            top, left = left1[i], left2[j]
            forest[top, left] = 0
            for a in range(top, i + 1):
                forest[a + 1, left] = forest[a, left] + 1
            for b in range(left, j + 1):
                forest[top, b + 1] = forest[top, b] + 1
            for a in range(top, i + 1):
                for b in range(left, j + 1):
                    best = min(forest[a, b + 1], forest[a + 1, b]) + 1
                    if left1[a] == top and left2[b] == left:
                        change = 0 if labels1[a] == labels2[b] else 1
                        best = min(best, forest[a, b] + change)
                        trees[a, b] = best
                    else:
                        best = min(best, forest[left1[a], left2[b]] + trees[a, b])
                    forest[a + 1, b + 1] = best
    return int(trees[n - 1, m - 1])


def coded_distance(one: Coded, other: Coded) -> int:
    """Edits from one coded tree to the other."""
    return int(_distance(*one, *other))


def tree_distance(one: Tree, other: Tree, depth: int | None = None) -> int:
    """Least number of nodes to insert, delete and rename to make ``other`` of ``one``.

    With ``depth``, both are first stripped of their words and cut there (``TED@depth``).
    """
    if depth is not None:
        one, other = leafless(one, depth), leafless(other, depth)
    coder = Coder()
    return coded_distance(coder(one), coder(other))


def nearest(
    target: Coded, pool: Sequence[Coded], allowed: Sequence[bool] | None = None
) -> tuple[int, int] | None:
    """Index of the nearest tree of ``pool`` (the first of equals) and its distance.

    None if ``allowed`` rules out all of them.
    """
    best: tuple[int, int] | None = None
    for index, other in enumerate(pool):
        if allowed is not None and not allowed[index]:
            continue
        # The difference in size alone takes that many edits.
        if best and abs(len(other.labels) - len(target.labels)) >= best[1]:
            continue
        distance = coded_distance(target, other)
        if best is None or distance < best[1]:
            best = (index, distance)
            if distance == 0:
                break
    return best

"""Tree edit distance after Zhang and Shasha (1989): unit costs, compiled."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tuneatlas.syntax.trees import Tree, leafless

Ints = npt.NDArray[np.int32]
# A node's code is the number of its label times this, plus how many children it has.
CHILDREN = 1 << 12


class Coded(NamedTuple):
    """A tree in post-order: each node's label and its leftmost leaf; shape (2, nodes)."""

    nodes: Ints

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(self.nodes.shape[1])


class Coder:
    """Codes trees; only trees of the same coder can be compared."""

    def __init__(self) -> None:
        self.numbers: defaultdict[str, int] = defaultdict(count(0, CHILDREN).__next__)

    def __call__(self, tree: Tree) -> Coded:
        """Labels and words alike become nodes.

        Children are taken from the right: distances of mirrored trees are the same, and a tree
        that branches to the right, as an English one does, has smaller parts to compare then.

        Raises:
            ValueError: the tree has 4,096 nodes or more.
        """
        numbers = self.numbers
        codes: list[int] = []
        add = codes.append
        waiting: list[Tree | str] = [tree]
        take, wait = waiting.pop, waiting.extend
        while waiting:
            node = take()
            if isinstance(node, str):
                add(numbers[node])
            else:
                label, children = node
                add(numbers[label] + len(children))
                wait(children)
        if len(codes) >= CHILDREN:
            raise ValueError(f"a tree of {len(codes)} nodes: trees have fewer than {CHILDREN}")
        return Coded(_post_order(np.array(codes, np.int64)))


@numba.njit(cache=True)
def _post_order(nodes: npt.NDArray[np.int64]) -> Ints:  # pragma: no cover (compiled)
    """Codes in pre-order as labels and leftmost leaves in post-order, shape (2, nodes)."""
    size = len(nodes)
    found = np.empty((2, size), np.int32)
    # Nodes that wait for children: label, how many are to come, leftmost leaf.
    waiting = np.empty((3, size), np.int32)
    label, missing, first = waiting[0], waiting[1], waiting[2]
    depth = done = 0
    for node in nodes:
        label[depth] = node // CHILDREN
        missing[depth] = node % CHILDREN
        first[depth] = done  # what comes next in post-order is the leftmost leaf
        depth += 1
        while depth and missing[depth - 1] == 0:
            depth -= 1
            found[0, done], found[1, done] = label[depth], first[depth]
            done += 1
            if depth:
                missing[depth - 1] -= 1
    return found


@numba.njit(cache=True)
def _keyroots(leftmost: Ints) -> Ints:  # pragma: no cover (compiled)
    """The last node with each leftmost leaf, in order."""
    size = len(leftmost)
    later = np.zeros(size, np.bool_)
    found = np.zeros(size, np.int32)
    many = 0
    for node in range(size - 1, -1, -1):
        if not later[leftmost[node]]:
            later[leftmost[node]] = True
            found[size - 1 - many] = node
            many += 1
    return found[size - many :]


@numba.njit(cache=True)
def _distance(one: Ints, other: Ints) -> int:  # pragma: no cover (compiled)
    labels1, left1, labels2, left2 = one[0], one[1], other[0], other[1]
    n, m = len(labels1), len(labels2)
    trees = np.zeros((n, m), np.int32)
    forest = np.zeros((n + 1, m + 1), np.int32)
    keys2 = _keyroots(left2)
    for i in _keyroots(left1):
        for j in keys2:
            # forest[a, b]: distance between nodes left1[i]..a-1 and left2[j]..b-1, offset by 1.
            top, left = left1[i], left2[j]
            forest[top, left] = 0
            for a in range(top, i + 1):
                forest[a + 1, left] = forest[a, left] + 1
            for b in range(left, j + 1):
                forest[top, b + 1] = forest[top, b] + 1
            for a in range(top, i + 1):
                above, here, whole = forest[a], forest[a + 1], trees[a]
                before = forest[left1[a]]
                on_left = left1[a] == top
                last = here[left]
                for b in range(left, j + 1):
                    best = min(above[b + 1], last) + 1
                    if on_left and left2[b] == left:
                        best = min(best, above[b] + (labels1[a] != labels2[b]))
                        whole[b] = best
                    else:
                        best = min(best, before[left2[b]] + whole[b])
                    here[b + 1] = last = best
    return int(trees[n - 1, m - 1])


def coded_distance(one: Coded, other: Coded) -> int:
    """Edits from one coded tree to the other."""
    return int(_distance(one.nodes, other.nodes))


def tree_distance(one: Tree, other: Tree, depth: int | None = None) -> int:
    """Least number of nodes to insert, delete and rename to make ``other`` of ``one``.

    With ``depth``, both are first stripped of their words and cut there (``TED@depth``).
    """
    if depth is not None:
        one, other = leafless(one, depth), leafless(other, depth)
    coder = Coder()
    return coded_distance(coder(one), coder(other))


class Pool:
    """Coded trees to search; how often each has each label, shape (labels, trees)."""

    def __init__(self, trees: Sequence[Coded]) -> None:
        self.trees = trees
        self.sizes = np.array([tree.size for tree in trees], np.int32)
        labels = 1 + max((int(tree.nodes[0].max()) for tree in trees), default=-1)
        self.counts = np.zeros((labels, len(trees)), np.int32)
        for at, tree in enumerate(trees):
            self.counts[:, at] = np.bincount(tree.nodes[0], minlength=labels)

    def nearest(self, target: Coded, allowed: Callable[[int], bool]) -> tuple[int, int] | None:
        """Index of the nearest tree that is ``allowed`` (the first of equals), and its distance.

        None if none is allowed. Of most trees the labels alone say that they are farther.
        """
        labels, times = np.unique(target.nodes[0], return_counts=True)
        known = labels < len(self.counts)
        alike = np.minimum(self.counts[labels[known]], times[known, None]).sum(0)
        # A node of the larger tree takes an edit unless one of the other has its label.
        least = np.maximum(self.sizes, target.size) - alike
        best: tuple[int, int] | None = None
        for index in map(int, np.argsort(least, kind="stable")):
            if best and (least[index], index) > best:
                break
            if allowed(index):
                found = coded_distance(target, self.trees[index]), index
                best = min(best or found, found)
        return (best[1], best[0]) if best else None

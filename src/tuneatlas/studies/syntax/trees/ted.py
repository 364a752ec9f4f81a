"""Tree edit distance after Zhang and Shasha (1989): unit costs, compiled.

Trees are compared as they are written (``linear.write_bracket``), without being read.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Names = npt.NDArray[np.uint64]
SPACE, OPEN, CLOSE = b" ()"
DEEPEST = 2**31 - 1
_NONE = np.empty(0, np.uint64)
# FNV-1a of 64 bits: two names of a million would be taken for one with a chance of 3e-8.
OFFSET, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Coded(NamedTuple):
    """A tree in post-order: of each node a hash of its name and its leftmost leaf."""

    names: Names
    leftmost: Ints

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.names)


def code(text: str, depth: int | None = None) -> Coded:
    """A written tree to compare: labels and words alike are nodes.

    With ``depth``, words are left out, and what lies deeper (the root has depth 1).

    Raises:
        ValueError: the text is not one tree.
    """
    written = np.frombuffer(text.encode(), np.uint8)
    names, leftmost = _code(written, depth or DEEPEST, depth is None)
    if not len(names):
        raise ValueError(f"not a tree: {text[:80]}")
    return Coded(names, leftmost)


@numba.njit(cache=True)
def _code(
    text: npt.NDArray[np.uint8], depth: int, words: bool
) -> tuple[Names, Ints]:  # pragma: no cover (compiled)
    """Names and leftmost leaves, shape (nodes,) each; of no nodes if the text is not a tree.

    The text is read from its end. That gives the mirrored tree in post-order: distances of
    mirrored trees are the same, and a tree that branches to the right, as an English one does,
    has smaller parts to compare then.
    """
    most = len(text) // 2 + 1
    names, leftmost = np.empty(most, np.uint64), np.empty(most, np.int32)
    first = np.empty(len(text) + 1, np.int32)  # of each open node, what came next in post-order
    done = above = 0
    end = len(text)
    sound = True
    while end > 0:
        char = text[end - 1]
        if char == CLOSE:
            sound &= above > 0 or end == len(text)  # one root
            first[above] = done
            above += 1
            end -= 1
            continue
        if char == SPACE:
            end -= 1
            continue
        name, start = OFFSET, end
        while end > 0 and text[end - 1] != SPACE and text[end - 1] != OPEN:
            name = (name ^ np.uint64(text[end - 1])) * PRIME
            sound &= text[end - 1] != CLOSE
            end -= 1
        sound &= above > 0 and end < start
        if not sound:
            break
        if end > 0 and text[end - 1] == OPEN:
            above -= 1
            end -= 1
            if above >= depth:
                continue
            leftmost[done] = first[above]
        elif not words:
            continue
        else:
            leftmost[done] = done
        names[done] = name
        done += 1
    if not sound or above:
        done = 0
    return names[:done], leftmost[:done]


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
def _distance(
    labels1: Names, left1: Ints, labels2: Names, left2: Ints
) -> int:  # pragma: no cover (compiled)
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
    return int(_distance(*one, *other))


def tree_distance(one: str, other: str, depth: int | None = None) -> int:
    """Least number of nodes to insert, delete and rename to make ``other`` of ``one``.

    Both are written trees. With ``depth``, both are first stripped of their words and cut there
    (``TED@depth``).
    """
    return coded_distance(code(one, depth), code(other, depth))


class Pool:
    """Coded trees to search; how often each has each name, shape (names, trees)."""

    def __init__(self, trees: Sequence[Coded]) -> None:
        self.trees = trees
        self.sizes = np.array([tree.size for tree in trees], np.int32)
        every = [tree.names for tree in trees]
        self.names, rows = np.unique(np.concatenate([*every, _NONE]), return_inverse=True)
        self.counts = np.zeros((len(self.names), len(trees)), np.int32)
        np.add.at(self.counts, (rows, np.repeat(np.arange(len(trees)), self.sizes)), 1)

    def nearest(self, target: Coded, allowed: Callable[[int], bool]) -> tuple[int, int] | None:
        """Index of the nearest tree that is ``allowed`` (the first of equals), and its distance.

        None if none is allowed. Of most trees the labels alone say that they are farther.
        """
        names, times = np.unique(target.names, return_counts=True)
        known = np.isin(names, self.names)
        rows = np.searchsorted(self.names, names[known])
        alike = np.minimum(self.counts[rows], times[known, None]).sum(0)
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

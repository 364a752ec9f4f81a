"""Constituency trees in one normal form, their transformations and productions.

In memory labels and words are plain strings; escapes belong to what is written (see
``linear``). The normal form has ``ROOT`` on top, no traces and no function tags.
The root has depth 1; a tree's height is the depth of its deepest labelled node.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

ROOT = "ROOT"
TRACE = "-NONE-"
TOPS = ("", "TOP", "ROOT", "S1")
Position = tuple[int, ...]


class Tree(NamedTuple):
    """A labelled node; a child is a tree or a word. Preterminals of a leafless tree are bare."""

    label: str
    children: "tuple[Tree | str, ...]" = ()


class Production(NamedTuple):
    """A node's label and the labels or words right beneath it."""

    head: str
    body: tuple[str, ...]


def normalise(tree: Tree) -> Tree:
    """The normal form: ``ROOT`` on top, traces with the nodes they empty gone, bare labels."""
    below: tuple[Tree | str, ...] = (tree,)
    while len(below) == 1 and isinstance(below[0], Tree) and below[0].label in TOPS:
        below = below[0].children
    kept = (c if isinstance(c, str) else _without_traces(c) for c in below)
    return Tree(ROOT, tuple(c for c in kept if c is not None))


def _without_traces(tree: Tree) -> Tree | None:
    if tree.label == TRACE:
        return None
    kept = (c if isinstance(c, str) else _without_traces(c) for c in tree.children)
    children = tuple(c for c in kept if c is not None)
    return Tree(bare_label(tree.label), children) if children or not tree.children else None


def bare_label(label: str) -> str:
    """``label`` without function tags and indices: ``NP-SBJ=1`` is ``NP``."""
    found = re.match(r"[^-=|]+", label)
    return found[0] if found else label


def words(tree: Tree) -> list[str]:
    """The words, left to right."""
    found: list[str] = []
    _add_words(tree, found)
    return found


def _add_words(tree: Tree, found: list[str]) -> None:
    for child in tree.children:
        if isinstance(child, str):
            found.append(child)
        else:
            _add_words(child, found)


def nodes(tree: Tree) -> Iterator[tuple[Position, Tree]]:
    """Every labelled node with its position (child indices from 0), in pre-order."""
    todo: list[tuple[Position, Tree]] = [((), tree)]
    while todo:
        position, node = todo.pop()
        yield position, node
        for index in range(len(node.children) - 1, -1, -1):
            child = node.children[index]
            if not isinstance(child, str):
                todo.append(((*position, index), child))


def spans(tree: Tree) -> list[tuple[str, int, int]]:
    """``(label, start, end)`` in words of every labelled node, in pre-order."""
    found: list[tuple[str, int, int]] = []

    def visit(node: Tree, start: int) -> int:
        place, at = len(found), start
        found.append((node.label, start, start))
        for child in node.children:
            at = at + 1 if isinstance(child, str) else visit(child, at)
        found[place] = (node.label, start, at)
        return at

    visit(tree, 0)
    return found


def subtree(tree: Tree, position: Sequence[int]) -> Tree | str:
    """The node or word at ``position``; IndexError if there is none."""
    node: Tree | str = tree
    for index in position:
        if isinstance(node, str):
            raise IndexError(f"{list(position)}: a word has no children")
        node = node.children[index]
    return node


def size(tree: Tree) -> int:
    """Labelled nodes and words together."""
    return sum(1 if isinstance(c, str) else size(c) for c in tree.children) + 1


def height(tree: Tree) -> int:
    """Depth of the deepest labelled node; a lone root has height 1."""
    return 1 + max((height(c) for c in tree.children if not isinstance(c, str)), default=0)


def prune(tree: Tree, depth: int) -> Tree:
    """``tree`` cut at ``depth``: nodes there have their words, if any, right beneath them."""
    if depth <= 1:
        return Tree(tree.label, tuple(words(tree)))
    kept = (c if isinstance(c, str) else prune(c, depth - 1) for c in tree.children)
    return Tree(tree.label, tuple(kept))


def leafless(tree: Tree, depth: int | None = None) -> Tree:
    """``tree`` without words, cut at ``depth`` if that is given."""
    if depth == 1:
        return Tree(tree.label)
    below = None if depth is None else depth - 1
    kept = (leafless(c, below) for c in tree.children if not isinstance(c, str))
    return Tree(tree.label, tuple(kept))


def comparable(tree: Tree) -> Tree:
    """``tree`` as SGCP and AESOP compare it: without words, each ``S`` merged into its parent.

    On top is an ``S`` of its own, beneath it ``ROOT``; nothing is cut (eval_utils.py of Kumar et
    al. 2020).
    """

    def merged(node: Tree) -> tuple[Tree, ...]:
        below = tuple(t for c in node.children if isinstance(c, Tree) for t in merged(c))
        return below if node.label == "S" else (Tree(node.label, below),)

    return Tree("S", merged(tree))


def splice(tree: Tree, position: Sequence[int]) -> Tree:
    """``tree`` without the node at ``position``, whose children take its place."""
    if not position:
        raise IndexError("the root cannot be spliced out")
    first, rest = position[0], position[1:]
    child = tree.children[first]
    if isinstance(child, str):
        raise IndexError(f"{list(position)}: a word cannot be spliced out")
    put = (splice(child, rest),) if rest else child.children
    return Tree(tree.label, (*tree.children[:first], *put, *tree.children[first + 1 :]))


def relabel(
    tree: Tree, label: Callable[[str], str], word: Callable[[str], str] = lambda word: word
) -> Tree:
    """``tree`` with every label and word replaced, called in pre-order."""
    top = label(tree.label)
    below = (word(c) if isinstance(c, str) else relabel(c, label, word) for c in tree.children)
    return Tree(top, tuple(below))


def productions(tree: Tree) -> list[Production]:
    """One production for each node that has children, in pre-order."""
    return [
        Production(node.label, tuple(c if isinstance(c, str) else c.label for c in node.children))
        for _, node in nodes(tree)
        if node.children
    ]


def from_productions(found: Sequence[Production]) -> Tree:
    """The tree whose productions, in any order, are ``found``: all names must differ.

    A name that no production expands is a word. Raises ValueError if they form no tree.
    """
    bodies = {p.head: p.body for p in found}
    below = [name for p in found for name in p.body]
    tops = bodies.keys() - set(below)
    if len(bodies) != len(found) or len(set(below)) != len(below) or len(tops) != 1:
        raise ValueError("the productions form no tree of distinct names")
    used = 0

    def build(name: str) -> Tree:
        nonlocal used
        used += 1
        return Tree(name, tuple(build(n) if n in bodies else n for n in bodies[name]))

    tree = build(tops.pop())
    if used != len(bodies):
        raise ValueError("some productions hang in a circle")
    return tree

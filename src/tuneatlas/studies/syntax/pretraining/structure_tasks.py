"""Stage 1: five tasks on trees of which only the structure is left (Liu et al. 2024).

Every label and word becomes a token ``<node_i>``; words are nodes here. Child indices count
from 1.
"""

import random
import re
from collections.abc import Sequence
from itertools import cycle

from tuneatlas.studies.syntax.pretraining.tasks import NONE, Setting, Task, Text
from tuneatlas.studies.syntax.trees.linear import JOINT, escape, read_bracket, unescape
from tuneatlas.studies.syntax.trees.trees import (
    Position,
    Production,
    Tree,
    productions,
    relabel,
    splice,
    subtree,
)

NODES, LEVELS, SIBLINGS = 100, 40, 40


def anonymise(tree: Tree, rng: random.Random) -> Tree:
    """``tree`` with nothing but its structure: shuffled names, dealt out in pre-order.

    Beyond ``NODES`` nodes and words the names come again, in the same order.
    """
    numbers = rng.sample(range(NODES), NODES)
    fresh = map("<node_{}>".format, cycle(numbers)).__next__
    return relabel(tree, lambda _: fresh(), lambda _: fresh())


def places(tree: Tree) -> list[tuple[Position, str]]:
    """Position and name of every node and word, in pre-order."""
    found: list[tuple[Position, str]] = []

    def visit(node: Tree | str, position: Position) -> None:
        if isinstance(node, str):
            found.append((position, node))
            return
        found.append((position, node.label))
        for index, child in enumerate(node.children):
            visit(child, (*position, index))

    visit(tree, ())
    return found


def _indices(position: Position) -> list[str]:
    return [str(index + 1) for index in position]


def treeposition_indexing(tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """Position and tree to the name there; drawn in proportion to its depth, so never the root."""
    bare = anonymise(tree, rng)
    below = [place for place in places(bare) if place[0]]
    if not below:
        return None
    position, name = rng.choices(below, [len(position) for position, _ in below])[0]
    way = " ".join(_indices(position))
    return Text(f"treeposition indexing position: {way} tree: {setting.form.write(bare)}", name)


def tree_forming(tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """Productions to the tree they form."""
    bare = anonymise(tree, rng)
    found = write_productions(productions(bare))
    return Text(f"tree forming: {found}", setting.form.write(bare))


def write_productions(found: Sequence[Production]) -> str:
    """``S -> NP VP <sep> NP -> DT NN``."""
    return JOINT.join(" ".join((escape(p.head), "->", *map(escape, p.body))) for p in found)


def read_productions(text: str) -> list[Production]:
    """Inverse of ``write_productions``."""
    parts = [part.split() for part in text.split(JOINT)]
    return [
        Production(unescape(head), tuple(map(unescape, body)))
        for head, _, *body in (part for part in parts if len(part) > 1)
    ]


def node_deleting(tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """Position, name and tree to the tree whose node there gave way to its children."""
    bare = anonymise(tree, rng)
    inner = [(p, n) for p, n in places(bare) if p and isinstance(subtree(bare, p), Tree)]
    if not inner:
        return None
    position, name = rng.choice(inner)
    asked = f"position: {', '.join(_indices(position))} node: {name}"
    write = setting.form.write
    return Text(f"node deleting {asked} tree: {write(bare)}", write(splice(bare, position)))


def height_selection(tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """Depth, the root's being 0, and tree to the names there, left to right; any place's depth."""
    bare = anonymise(tree, rng)
    depth = len(rng.choice(places(bare))[0])
    names = [name for position, name in places(bare) if len(position) == depth]
    asked = f"height selection height: {depth} tree: {setting.form.write(bare)}"
    return Text(asked, " ".join(names))


def tree_interpreting(tree: Tree, rng: random.Random, setting: Setting) -> Text | None:
    """Tree to the tree in brackets, each label with its depth, its place and its parent."""
    bare = anonymise(tree, rng)
    return Text(f"tree interpreting: {setting.form.write(bare)}", interpret(bare))


def interpret(tree: Tree) -> str:
    """``(S<H_1><S_1><none> (NP<H_2><S_1>S it))``: depths and places count from 1."""

    def visit(node: Tree | str, depth: int, place: int, parent: str) -> str:
        if isinstance(node, str):
            return escape(node)
        label = escape(node.label)
        below = (visit(c, depth + 1, n, label) for n, c in enumerate(node.children, 1))
        return f"({' '.join((f'{label}<H_{depth}><S_{place}>{parent}', *below))})"

    return visit(tree, 1, 1, NONE)


def read_interpretation(text: str) -> Tree:
    """Inverse of ``interpret``; ValueError if a depth, place or parent is another."""

    def visit(node: Tree | str, depth: int, place: int, parent: str) -> Tree | str:
        if isinstance(node, str):
            return node
        found = re.fullmatch(r"(.*)<H_(\d+)><S_(\d+)>(.*)", node.label, re.DOTALL)
        if not found or found.groups()[1:] != (str(depth), str(place), parent):
            raise ValueError(f"{node.label} is not a label of depth {depth}, place {place}")
        below = (visit(c, depth + 1, n, found[1]) for n, c in enumerate(node.children, 1))
        return Tree(found[1], tuple(below))

    tree = visit(read_bracket(text), 1, 1, NONE)
    assert isinstance(tree, Tree)
    return tree


STRUCTURE_TASKS = {
    "treeposition_indexing": Task(2, treeposition_indexing, "exact_match"),
    "tree_forming": Task(1, tree_forming, "bracket_f1"),
    "node_deleting": Task(1, node_deleting, "bracket_f1"),
    "height_selection": Task(1, height_selection, "label_f1"),
    "tree_interpreting": Task(2, tree_interpreting, "bleu"),
}

"""Constituency trees as inline SVG: words in a row, each node above the middle of its children."""

from typing import NamedTuple

from markupsafe import Markup, escape

from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import Tree, prune

# Pixels: a character's width, the gap between words, a level's height, the margin.
CHARACTER, GAP, LEVEL, MARGIN = 7.2, 10.0, 34.0, 12.0


class Node(NamedTuple):
    """A name with its place, and the places of its children; words have none."""

    name: str
    x: float
    y: float
    children: tuple["Node", ...]
    is_word: bool


def draw_tree(brackets: str, height: int, title: str) -> Markup:
    """An SVG of the tree, cut at ``height``, with the words under the cut kept.

    The brackets of what is drawn are its text alternative.
    """
    shown = without_root(prune(read_bracket(brackets, title), height))
    at, root = _place(shown, MARGIN, 0)
    nodes = list(_all(root))
    tall = max(node.y for node in nodes)
    lines = [_line(node, child) for node in nodes for child in node.children]
    names = [_name(node) for node in nodes]
    size = f"{at - GAP + MARGIN:.0f} {tall + 2 * MARGIN:.0f}"
    label = escape(f"{title}: {write_bracket(shown)}")
    return Markup(
        f'<svg class="tree" viewBox="0 0 {size}" width="{size.split()[0]}" role="img" '
        f'aria-label="{label}">{"".join(lines)}{"".join(names)}</svg>'
    )


def without_root(tree: Tree) -> Tree:
    """What stands under ROOT, which says nothing."""
    only = tree.children[0] if len(tree.children) == 1 else None
    return only if tree.label == "ROOT" and isinstance(only, Tree) else tree


def _place(node: Tree | str, left: float, depth: int) -> tuple[float, Node]:
    """Where the next name may begin, and the node with all below it in place."""
    name = node if isinstance(node, str) else node.label
    wide = len(name) * CHARACTER + GAP
    y = MARGIN + depth * LEVEL
    if isinstance(node, str) or not node.children:
        return left + wide, Node(name, left + (wide - GAP) / 2, y, (), isinstance(node, str))
    at, placed = left, []
    for child in node.children:
        at, found = _place(child, at, depth + 1)
        placed.append(found)
    x = (placed[0].x + placed[-1].x) / 2
    overhang = left - (x - (wide - GAP) / 2)
    if overhang > 0:  # a label wider than what is below it
        placed = [_moved(child, overhang) for child in placed]
        x, at = x + overhang, at + overhang
    return max(at, x + (wide + GAP) / 2), Node(name, x, y, tuple(placed), False)


def _moved(node: Node, by: float) -> Node:
    return node._replace(x=node.x + by, children=tuple(_moved(c, by) for c in node.children))


def _all(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in _all(child))]


def _line(node: Node, child: Node) -> str:
    return (
        f'<line x1="{node.x:.1f}" y1="{node.y + 7:.1f}" x2="{child.x:.1f}" y2="{child.y - 9:.1f}"/>'
    )


def _name(node: Node) -> str:
    kind = "word" if node.is_word else "label"
    return f'<text class="{kind}" x="{node.x:.1f}" y="{node.y + 4:.1f}">{escape(node.name)}</text>'

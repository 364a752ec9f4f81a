"""Stage 1: five tasks on trees of which only the structure is left (Liu et al. 2024).

Every label and word becomes a token ``<node_i>`` of its own, in shuffled order; words are
nodes here. Depths and sibling indices count from 1.
"""

import random
import re
from collections.abc import Sequence

from tuneatlas.studies.syntax.pretraining.tasks import JOINT, NONE, Task, Text
from tuneatlas.studies.syntax.trees.linear import (
    Form,
    escape,
    read_position,
    unescape,
    write_position,
)
from tuneatlas.studies.syntax.trees.trees import (
    Position,
    Production,
    Tree,
    from_productions,
    productions,
    relabel,
    size,
    splice,
    subtree,
)

NODES, LEVELS, SIBLINGS = 100, 40, 40


def anonymise(tree: Tree, rng: random.Random) -> Tree | None:
    """``tree`` with nothing but its structure; None if it has more nodes than there are tokens."""
    if size(tree) > NODES:
        return None
    numbers = rng.sample(range(NODES), size(tree))
    fresh = map("<node_{}>".format, numbers).__next__
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


def treeposition_indexing(tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """Position and tree to the name there; nodes are drawn in proportion to their depth."""
    bare = anonymise(tree, rng)
    if bare is None:
        return None
    all_places = places(bare)
    weights = [len(position) + 1 for position, _ in all_places]
    position, name = rng.choices(all_places, weights)[0]
    return Text(f"{write_position(position)}{JOINT}{form.write(bare)}", escape(name))


def check_indexing(_: Tree, text: Text, form: Form) -> bool:
    """The name stands at the position."""
    position, tree = text.input.split(JOINT)
    found = subtree(form.read(tree), read_position(position))
    return escape(found if isinstance(found, str) else found.label) == text.target


def tree_forming(tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """Productions to the tree they form."""
    bare = anonymise(tree, rng)
    if bare is None:
        return None
    return Text(write_productions(productions(bare)), form.write(bare))


def write_productions(found: Sequence[Production]) -> str:
    """``S NP VP <sep> NP DT NN``: each head before its body."""
    return JOINT.join(" ".join(map(escape, (p.head, *p.body))) for p in found)


def read_productions(text: str) -> list[Production]:
    """Inverse of ``write_productions``."""
    parts = [[unescape(name) for name in part.split()] for part in text.split(JOINT)]
    return [Production(part[0], tuple(part[1:])) for part in parts if part]


def check_forming(_: Tree, text: Text, form: Form) -> bool:
    """The productions form the tree."""
    return from_productions(read_productions(text.input)) == form.read(text.target)


def node_deleting(tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """Position, name and tree to the tree whose node there gave way to its children."""
    bare = anonymise(tree, rng)
    if bare is None:
        return None
    inner = [(p, n) for p, n in places(bare) if p and not isinstance(subtree(bare, p), str)]
    if not inner:
        return None
    position, name = rng.choice(inner)
    start = f"{write_position(position)} {escape(name)}"
    return Text(f"{start}{JOINT}{form.write(bare)}", form.write(splice(bare, position)))


def check_deleting(_: Tree, text: Text, form: Form) -> bool:
    """The tree without the node is the target, and the node had that name."""
    start, written = text.input.split(JOINT)
    where, name = start.rsplit(" ", 1)
    tree, position = form.read(written), read_position(where)
    node = subtree(tree, position)
    return (
        not isinstance(node, str)
        and node.label == unescape(name)
        and form.write(splice(tree, position)) == text.target
    )


def height_selection(tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """Depth and tree to the names at that depth, left to right."""
    bare = anonymise(tree, rng)
    if bare is None:
        return None
    depth = rng.randint(1, max(len(position) for position, _ in places(bare)) + 1)
    return Text(f"{depth}{JOINT}{form.write(bare)}", " ".join(_at_depth(bare, depth)))


def _at_depth(tree: Tree, depth: int) -> list[str]:
    return [escape(name) for position, name in places(tree) if len(position) + 1 == depth]


def check_selection(_: Tree, text: Text, form: Form) -> bool:
    """Level by level from the root, the names are those of the target."""
    depth, written = text.input.split(JOINT)
    level: list[Tree | str] = [form.read(written)]
    for _level in range(int(depth) - 1):
        level = [child for node in level if isinstance(node, Tree) for child in node.children]
    names = [node if isinstance(node, str) else node.label for node in level]
    return bool(names) and list(map(escape, names)) == text.target.split()


def tree_interpreting(tree: Tree, rng: random.Random, form: Form) -> Text | None:
    """Tree to every name with its depth, its place among its siblings, and its parent."""
    bare = anonymise(tree, rng)
    if bare is None:
        return None
    target = interpret(bare)
    return Text(form.write(bare), target) if target else None


def interpret(tree: Tree) -> str:
    """``S<H_1><S_1><none> NP<H_2><S_1>S``, in pre-order; empty if it needs tokens beyond 40."""
    all_places = dict(places(tree))
    parts = []
    for position, name in all_places.items():
        depth, sibling = len(position) + 1, position[-1] + 1 if position else 1
        if depth > LEVELS or sibling > SIBLINGS:
            return ""
        parent = escape(all_places[position[:-1]]) if position else NONE
        parts.append(f"{escape(name)}<H_{depth}><S_{sibling}>{parent}")
    return " ".join(parts)


def read_interpretation(text: str) -> Tree:
    """Inverse of ``interpret`` where every childless node is a word; ValueError if it is none."""
    ways: dict[Position, str] = {}
    way: Position = ()
    for part in text.split():
        found = re.fullmatch(r"(\S+)<H_(\d+)><S_(\d+)>(\S+)", part)
        if not found:
            raise ValueError(f"{part} is not like NP<H_2><S_1>S")
        depth = int(found[2])
        way = (*way[: depth - 2], int(found[3]) - 1) if depth > 1 else ()
        if len(way) + 1 != depth or way in ways:
            raise ValueError(f"{part}: there is no place for it")
        if ways.get(way[:-1], NONE) != found[4]:
            raise ValueError(f"{part}: its parent is another")
        ways[way] = found[1]

    def build(position: Position) -> Tree | str:
        name = ways[position]
        below: list[Tree | str] = []
        while (*position, len(below)) in ways:
            below.append(build((*position, len(below))))
        return Tree(unescape(name), tuple(below)) if below or not position else unescape(name)

    tree = build(())
    return tree if isinstance(tree, Tree) else Tree(tree)


def check_interpreting(_: Tree, text: Text, form: Form) -> bool:
    """The tree can be rebuilt from its interpretation."""
    return read_interpretation(text.target) == form.read(text.input)


STRUCTURE_TASKS = {
    "treeposition_indexing": Task(2, treeposition_indexing, check_indexing, "exact_match"),
    "tree_forming": Task(1, tree_forming, check_forming, "bracket_f1"),
    "node_deleting": Task(1, node_deleting, check_deleting, "bracket_f1"),
    "height_selection": Task(1, height_selection, check_selection, "exact_match"),
    "tree_interpreting": Task(2, tree_interpreting, check_interpreting, "exact_match"),
}

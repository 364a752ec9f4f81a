"""Tree edit distance of 2,000 pairs of parsed paraphrases, words as nodes."""

from pathlib import Path
from typing import Any

from apted import APTED
from apted.helpers import Tree as AptedTree
from zss import Node, simple_distance

from bench.harness import ROUNDS, Peer, Work
from tuneatlas.syntax.linear import read_bracket
from tuneatlas.syntax.tables import PARAPHRASES
from tuneatlas.syntax.ted import Coder, coded_distance, tree_distance
from tuneatlas.syntax.trees import Tree, size

PAIRS = 2000


def zss_tree(tree: Tree | str) -> Node:
    """The tree as zss takes it."""
    if isinstance(tree, str):
        return Node(tree)
    return Node(tree.label, [zss_tree(child) for child in tree.children])


def apted_tree(tree: Tree | str) -> Any:
    """The tree as apted takes it."""
    if isinstance(tree, str):
        return AptedTree(tree)
    return AptedTree(tree.label, *(apted_tree(child) for child in tree.children))


def work(results: Path) -> Work:
    """Each round measures another fifth of the pairs; all sides have their trees in memory."""
    rows = PARAPHRASES.read(results / "prepare_paraphrases" / "paraphrases.parquet")[:PAIRS]
    pairs = [tuple(read_bracket(row[side]) for side in ("source", "target")) for row in rows]
    parts = list(zip(*[iter(pairs)] * (len(pairs) // ROUNDS), strict=False))
    zss_parts = [[tuple(map(zss_tree, pair)) for pair in part] for part in parts]
    apted_parts = [[tuple(map(apted_tree, pair)) for pair in part] for part in parts]
    tree_distance(*pairs[0])  # compiles

    def ours(number: int) -> list[int]:
        coder = Coder()
        return [coded_distance(coder(one), coder(other)) for one, other in parts[number]]

    def same(found: list[int], other: list[int]) -> str:
        assert found == other
        return "all distances equal"

    sizes = sorted(size(tree) for pair in pairs for tree in pair)
    return Work(
        f"tree edit distance, {len(pairs)} pairs of trees of {sizes[0]} to {sizes[-1]} nodes "
        f"(median {sizes[len(sizes) // 2]})",
        ours,
        [
            Peer("zss", lambda i: [int(simple_distance(*pair)) for pair in zss_parts[i]], 500),
            Peer(
                "apted",
                lambda i: [APTED(*pair).compute_edit_distance() for pair in apted_parts[i]],
                150,
            ),
        ],
        same,
        ["numba", "zss", "apted"],
    )

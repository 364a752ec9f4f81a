"""Tree edit distance of 2,000 pairs of parsed paraphrases, words as nodes."""

from pathlib import Path
from typing import Any

from apted import APTED
from apted.helpers import Tree as AptedTree
from zss import Node, simple_distance

from bench.harness import ROUNDS, Peer, Work
from tuneatlas.studies.syntax.tables import PARAPHRASES
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.ted import tree_distance
from tuneatlas.studies.syntax.trees.trees import Tree, size

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
    """Each round measures another fifth of the pairs; all sides have their trees in memory.

    Ours are text, as tables hold them; the peers' are nodes, made before the clock starts.
    """
    rows = PARAPHRASES.read(results / "prepare_paraphrases" / "paraphrases.parquet")[:PAIRS]
    texts = [(row["source"], row["target"]) for row in rows]
    pairs = [tuple(map(read_bracket, pair)) for pair in texts]
    each = len(pairs) // ROUNDS
    text_parts, parts = (list(zip(*[iter(all_)] * each, strict=False)) for all_ in (texts, pairs))
    zss_parts = [[tuple(map(zss_tree, pair)) for pair in part] for part in parts]
    apted_parts = [[tuple(map(apted_tree, pair)) for pair in part] for part in parts]
    tree_distance(*texts[0])  # compiles

    def ours(number: int) -> list[int]:
        return [tree_distance(one, other) for one, other in text_parts[number]]

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

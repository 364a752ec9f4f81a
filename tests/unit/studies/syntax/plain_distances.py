"""What tree edit distances are tested by: a plain reference, the trees of zss, and real parses."""

from pathlib import Path

import pytest

from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import Tree


def reference(one: Tree, other: Tree) -> int:
    """The textbook recursion over forests, memoised: slow, and short enough to be seen right."""
    known: dict[tuple, int] = {}

    def weight(forest) -> int:
        return sum(1 + (0 if isinstance(t, str) else weight(t.children)) for t in forest)

    def distance(f, g) -> int:
        if not f or not g:
            return weight(f) + weight(g)
        if (f, g) not in known:
            v, w = f[-1], g[-1]
            below_v = () if isinstance(v, str) else v.children
            below_w = () if isinstance(w, str) else w.children
            name_v = v if isinstance(v, str) else v.label
            name_w = w if isinstance(w, str) else w.label
            known[f, g] = min(
                distance(f[:-1] + below_v, g) + 1,
                distance(f, g[:-1] + below_w) + 1,
                distance(f[:-1], g[:-1]) + distance(below_v, below_w) + (name_v != name_w),
            )
        return known[f, g]

    return distance((one,), (other,))


def as_zss(tree):
    zss = pytest.importorskip("zss", reason="zss is not installed; the plain reference is tested")
    if isinstance(tree, str):
        return zss.Node(tree)
    node = zss.Node(tree.label)
    for child in tree.children:
        node.addkid(as_zss(child))
    return node


def real_trees() -> list[Tree]:
    lines = (
        (Path(__file__).parent / "trees" / "real_trees.tsv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return [read_bracket(line.split("\t")[2]) for line in lines if not line.startswith("#")]

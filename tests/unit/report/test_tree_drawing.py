"""A drawn tree: no name on another, and the same said in words."""

import random
import re
from itertools import pairwise

from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.report.tree_drawing import CHARACTER, draw_tree
from tuneatlas.studies.syntax.trees.linear import write_bracket


def names(svg: str) -> list[tuple[float, float, str]]:
    found = re.findall(r'<text class="\w+" x="([\d.]+)" y="([\d.]+)">([^<]*)</text>', svg)
    return [(float(y), float(x), name) for x, y, name in found]


def test_no_name_lies_on_another_or_outside():
    rng = random.Random(1)
    for _ in range(200):
        tree = random_tree(rng, 4)
        svg = str(draw_tree(write_bracket(tree), 5, "Source"))
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
        for (y, x, name), (y2, x2, other) in pairwise(sorted(names(svg))):
            half = len(name) * CHARACTER / 2
            assert half <= x + 1 and x + half <= width and y <= height
            if y == y2:
                assert x + half < x2 - len(other) * CHARACTER / 2


def test_what_is_drawn_is_said_too():
    tree = "(ROOT (S (NP (DT the) (NN cat) (PP (IN on) (NP (NN it)))) (VP (VBD <sat>))))"
    svg = str(draw_tree(tree, 4, "Output"))
    said = "Output: (S (NP (DT the) (NN cat) (PP on it)) (VP (VBD &lt;sat&gt;)))"
    assert f'role="img" aria-label="{said}"' in svg
    assert len(re.findall("<line", svg)) == 11
    assert [n for _, _, n in names(svg)][:2] == ["S", "NP"]
    bare = draw_tree("(X)", 5, "Source")
    assert "<line" not in bare and ">X<" in bare

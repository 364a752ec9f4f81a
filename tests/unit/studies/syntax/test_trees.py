import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import any_tree, names, random_tree

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing import formats
from tuneatlas.studies.syntax.pretraining import task_scores
from tuneatlas.studies.syntax.trees import linear, trees
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.ted import tree_distance
from tuneatlas.studies.syntax.trees.trees import Tree

SEE = "(ROOT (S (NP (PRP I)) (VP (VBP see) (NP (DT the) (NN cat))) (. .)))"
FORMS = [
    (linear.write_bracket, linear.read_bracket),
    (linear.write_slash, linear.read_slash),
    (linear.write_path, linear.read_path),
]


@pytest.mark.parametrize(("write", "read"), FORMS)
@given(any_tree)
@settings(max_examples=300, deadline=None)
def test_any_tree_reads_back(write, read, tree):
    text = write(tree)
    assert read(text) == tree
    assert "\n" not in text


@given(names)
def test_any_name_reads_back(name):
    assert linear.unescape(linear.escape(name)) == name


def test_forms():
    tree = read_bracket("(S (NP (NN NN)) (-LRB- -LRB-) (VP see 1\\/2))")
    assert tree.children[1] == Tree("(", ("(",))
    assert linear.write_slash(tree) == (
        "S NP NN \\.NN /NN /NP -LRB- \\.-LRB- /-LRB- VP see 1/2 /VP /S"
    )
    assert linear.write_path(tree).startswith(
        "0: S 1: NP 1.1: NN 1.1.1= NN 2: -LRB- 2.1= -LRB- 3: VP"
    )
    assert linear.write_path(Tree("1:", ("2.1=",))) == "0: \\.1: 1= \\.2.1="
    assert linear.write_slash(Tree("<node_3>", ("<node_1>",))) == "<node_3> <node_1> </node_3>"


MODEL_TOKENS = ("<s>", "</s>", "<pad>", "<unk>", "<sep>", "<none>", "<mask>", "<H_2>", "<S_40>")


@given(names, st.sampled_from(MODEL_TOKENS), names)
def test_no_word_is_written_as_a_token_of_the_models(before, token, after):
    name = f"{before}{token}{after}"
    assert token not in linear.escape(name)
    for write, read in FORMS:
        tree = Tree("S", (Tree("X", (name,)),))
        assert token not in write(tree)
        assert read(write(tree)) == tree


def called_at(depth, work):
    return work() if depth == 0 else called_at(depth - 1, work)


def test_the_deepest_trees_are_walked_without_end_of_the_stack():
    tree = Tree("X", ("word",))
    for _ in range(linear.DEEPEST - 2):
        tree = Tree("S", (tree,))
    tree = trees.normalise(tree)
    shape = formats.Shape(linear.DEEPEST, linear.FORMS["bracket"])
    walks = [
        *(lambda w=write, r=read: r(w(tree)) == tree or 1 / 0 for write, read in FORMS),
        *(lambda f=field: f(tree, shape) for field in formats.FIELDS.values()),
        lambda: trees.normalise(tree),
        lambda: trees.spans(tree),
        lambda: trees.size(tree) + trees.height(tree),
        lambda: trees.relabel(tree, str.lower),
        lambda: trees.splice(tree, (0,) * 150),
        lambda: task_scores.bracket_f1(tree, tree),
        lambda: tree_distance(write_bracket(tree), write_bracket(tree)),
    ]
    for walk in walks:
        called_at(250, walk)


@pytest.mark.parametrize(("write", "read"), FORMS)
def test_what_is_deeper_is_refused_in_every_form(write, read):
    sys.setrecursionlimit(20_000)
    try:
        tree = Tree("X", ("word",))
        for _ in range(linear.DEEPEST):
            tree = Tree("S", (tree,))
        text = write(tree)
    finally:
        sys.setrecursionlimit(1000)
    with pytest.raises(UserError, match="here: a tree deeper than 200"):
        read(text, "here")


def test_tops_of_other_treebanks_make_one_root():
    for text in ("(TOP (S1 (S a)))", "((S a))", "(ROOT (ROOT (S a)))", "(S a)", "((S1 (S a)))"):
        assert write_bracket(trees.normalise(read_bracket(text))) == "(ROOT (S a))"


def test_normal_form():
    text = "( (S (NP-SBJ=2 (-NONE- *T*-1)) (ADVP|PRT (RB up)) (VP-TPC (VB go) (NP (-NONE- *)))))"
    plain = trees.normalise(read_bracket(text))
    assert write_bracket(plain) == "(ROOT (S (ADVP (RB up)) (VP (VB go))))"
    assert trees.normalise(plain) == plain
    assert trees.normalise(Tree("NP", ("x",))) == Tree("ROOT", (Tree("NP", ("x",)),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(S (NP a)\n", r"1 '\(' without"),
        ("(S a))", r"'\)' without"),
        ("(S a)\nb (S c)", "'b' stands outside"),
        ("(S a)\n(S ())", r"'\(\)' is a node without a label"),
        ("(S " * 500, "a tree deeper"),
        ("(S a)\n(S b)", "expected one tree, found 2"),
        ("", "expected one tree, found 0"),
    ],
)
def test_a_malformed_tree_says_where_and_what(text, message):
    with pytest.raises(UserError, match=f"^some.mrg, line 3: {message}"):
        read_bracket(text, "some.mrg, line 3")


def test_a_tree_may_break_lines():
    read = read_bracket("( (S (NP-SBJ (PRP I))\n   (VP (VBP see)) ))\n\n")
    assert write_bracket(trees.normalise(read)) == "(ROOT (S (NP (PRP I)) (VP (VBP see))))"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (linear.read_slash, "S NP"),
        (linear.read_slash, "S NP /S /NP"),
        (linear.read_slash, "x S /S"),
        (linear.read_slash, ""),
        (linear.read_path, "1: S"),
        (linear.read_path, "0: S 2: NP"),
        (linear.read_path, "0: S 1.1: NP"),
        (linear.read_path, "0: S 1= a 1.1= b"),
        (linear.read_path, "0: S 0: S"),
        (linear.read_path, "0: S 1:"),
        (linear.read_path, "S"),
        (linear.read_bracket, "(S a) (S b)"),
        (linear.read_bracket, ""),
    ],
)
def test_what_is_no_tree_is_refused(read, text):
    with pytest.raises(UserError, match="here"):
        read(text, "here")


def test_prune_and_leafless():
    tree = read_bracket(SEE)
    assert write_bracket(trees.prune(tree, 3)) == "(ROOT (S (NP I) (VP see the cat) (. .)))"
    assert write_bracket(trees.leafless(tree, 3)) == "(ROOT (S (NP) (VP) (.)))"
    assert trees.height(tree) == 5
    assert trees.prune(tree, 5) == tree
    assert trees.leafless(tree) == trees.leafless(tree, 9)
    assert trees.words(trees.prune(tree, 2)) == trees.words(tree)


def test_random_trees_obey_the_definitions():
    rng = random.Random(1)
    for _ in range(300):
        tree = random_tree(rng)
        found = list(trees.nodes(tree))
        assert all(trees.subtree(tree, position) == node for position, node in found)
        assert trees.size(tree) == len(found) + len(trees.words(tree))
        assert max(len(p) + 1 for p, _ in found) == trees.height(tree)
        text = trees.words(tree)
        for (label, start, end), (_, node) in zip(trees.spans(tree), found, strict=True):
            assert (label, text[start:end]) == (node.label, trees.words(node))
        for depth in (1, 2, 3):
            assert trees.height(trees.prune(tree, depth)) == min(depth, trees.height(tree))
        position, node = rng.choice(found[1:])
        spliced = trees.splice(tree, position)
        assert trees.size(spliced) == trees.size(tree) - 1
        assert trees.words(spliced) == text
        fresh = map("n{}".format, range(1000)).__next__
        named = trees.relabel(tree, lambda _, new=fresh: new(), lambda _, new=fresh: new())
        rules = trees.productions(named)
        rng.shuffle(rules)
        assert trees.from_productions(rules) == named


def test_productions_that_form_no_tree_are_refused():
    rule = trees.Production
    for rules in (
        [],
        [rule("a", ("b",)), rule("a", ("c",))],
        [rule("a", ("b",)), rule("c", ("d",))],
        [rule("a", ("b",)), rule("c", ("d",)), rule("d", ("c",))],
    ):
        with pytest.raises(ValueError, match="productions"):
            trees.from_productions(rules)
    with pytest.raises(IndexError):
        trees.splice(Tree("S", ("a",)), ())
    with pytest.raises(IndexError):
        trees.splice(Tree("S", ("a",)), (0,))

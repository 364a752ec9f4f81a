import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import any_tree, names, random_tree

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing import formats
from tuneatlas.studies.syntax.pretraining import structure_tasks, task_scores
from tuneatlas.studies.syntax.trees import linear, trees
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.ted import tree_distance
from tuneatlas.studies.syntax.trees.trees import Tree

SEE = "(ROOT (S (NP (PRP I)) (VP (VBP see) (NP (DT the) (NN cat))) (. .)))"
FORMS = [
    (linear.write_bracket, linear.read_bracket),
    (linear.write_slash, linear.read_slash),
]
PATHS = (linear.write_paths, linear.read_paths)


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
    assert linear.write_paths(tree).startswith("S NP NN NN <sep> S -LRB- -LRB- <sep> S VP see")
    # The three forms of stage 1, as the authors write them.
    bare = read_bracket("(<node_7> (<node_3> <node_9>) (<node_1> (<node_4> <node_2>)))")
    assert linear.write_slash(bare) == (
        "<node_7> <node_3> <node_9> /<node_3> <node_1> <node_4> <node_2> /<node_4> /<node_1> "
        "/<node_7>"
    )
    assert linear.write_paths(bare) == (
        "<node_7> <node_3> <node_9> <sep> <node_7> <node_1> <node_4> <node_2>"
    )


def test_trees_of_distinct_names_are_read_back_from_their_paths():
    rng = random.Random(5)
    for _ in range(300):
        fresh = map("n{}".format, range(1000)).__next__
        named = trees.relabel(random_tree(rng), lambda _, n=fresh: n(), lambda _, n=fresh: n())
        assert linear.read_paths(linear.write_paths(named)) == named


MODEL_TOKENS = (
    *("<s>", "</s>", "<pad>", "<unk>", "<sep>", "<none>", "<mask>", "<H_2>", "<S_40>"),
    *("<tgt>", "<src>", "<src_t>", "<temp_t>", "<src_tree>", "<temp_tree>", "<tree>", "<sent>"),
)


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
    forms = [*FORMS, PATHS]
    walks = [
        *(lambda w=write, r=read: r(w(tree)) == tree or 1 / 0 for write, read in forms),
        *(lambda f=field: f(tree, linear.DEEPEST) for field in formats.FIELDS.values()),
        lambda: trees.comparable(tree),
        lambda: structure_tasks.read_interpretation(structure_tasks.interpret(tree)),
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


@pytest.mark.parametrize(("write", "read"), [*FORMS, PATHS])
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
        (linear.read_paths, ""),
        (linear.read_paths, "S a <sep>"),
        (linear.read_paths, "S a <sep> T b"),
        (linear.read_paths, "S a <sep> S a b"),
        (linear.read_paths, "S a <sep> S a"),
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

"""Given parses come back over the sentence's own words, and one of another sentence is refused."""

import random
import re

import pytest

from tests.unit.studies.syntax.random_trees import random_tree
from tests.unit.studies.syntax.trees.test_parsing import UNUSUAL
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.given import given_parse
from tuneatlas.studies.syntax.trees.linear import escape, read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import Tree, relabel, words
from tuneatlas.studies.syntax.trees.words import treebank, visible


def read(text: str, sentence: str, most: int = 80):
    return given_parse(text, sentence, most, "p.txt, line 3")


def over(spelt: list[str]) -> str:
    return "( (S " + " ".join(f"(X {word})" for word in spelt) + "))"


def test_any_spelling_of_treebanks_gives_the_words_of_the_sentence():
    sentences = [s for s in UNUSUAL if visible(s)] + [
        'He said "do it" (twice) \u2014 in 1/2 an hour\u2026',
        "\u201cIt\u2019s \u20ac5,\u201d she said \u2013 \u2018really\u2019.",
    ]
    for sentence in sentences:
        cut = re.findall(r"\w+|[^\w\s]", " ".join(sentence.split()))
        if not cut or any(not visible(w) or (re.search(r"\W", w) and len(w) > 1) for w in cut):
            continue
        for spelt in (treebank(cut), [escape(w) for w in cut], [w.lower() for w in treebank(cut)]):
            if any(len(word.split()) != 1 for word in spelt):
                continue
            found = read(over(spelt), sentence)
            assert found.status == "parsed", (sentence, spelt)
            own = words(read_bracket(found.tree))
            assert visible("".join(own)) == visible(sentence), (own, sentence)


def test_normal_trees_come_back_as_they_are():
    rng = random.Random(3)
    for _ in range(50):
        tree = random_tree(rng, 3)
        text, sentence = write_bracket(tree), " ".join(words(tree))
        assert read(text, sentence).tree == text
        # Another top, tags of function and traces are other ways to write the same.
        other = Tree("TOP", (*tree.children, Tree("-NONE-", ("*T*-1",))))
        marked = relabel(
            other, lambda label: f"{label}-SBJ" if label.isalpha() and label != "TOP" else label
        )
        assert read(write_bracket(marked), sentence).tree == text


@pytest.mark.parametrize("seed", range(8))
def test_a_parse_of_other_words_is_refused_with_its_place(seed):
    rng = random.Random(seed)
    leaves = ["Tom", "sells", "the", "tea", "of", "Ann", "."]
    at = rng.randrange(len(leaves) - 1)
    wrong = [
        leaves[:at] + leaves[at + 1 :],
        [*leaves[:at], "extra", *leaves[at:]],
        [*leaves[:at], leaves[at] + "x", *leaves[at + 1 :]],
        [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]],
        [*leaves[:at], leaves[at] + leaves[at + 1], *leaves[at + 2 :]],
        [*leaves, "."],
        [*leaves, "."] * 2,
    ]
    for spelt in wrong:
        if spelt == [*leaves, "."]:
            continue  # The full stop that parsers make up; below.
        with pytest.raises(UserError, match=r"^p\.txt, line 3: not a parse of its sentence"):
            read(over(spelt), "Tom sells  the tea of Ann.")


def test_a_full_stop_that_parsers_make_up_goes():
    found = read("(ROOT (S (NP (NNP U.S.)) (. .)))", "U.S.")
    assert found.tree == "(ROOT (S (NP (NNP U.S.))))"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(S (NP a)", r"1 '\(' without '\)'"),
        ("(S (NP a)) (S b)", "expected one tree, found 2"),
        ("a b", "'a' stands outside the brackets"),
        ("(S (NP a) (VP ) (X b))", "nothing stands beneath 'VP'"),
        ("(S " * 300 + "a" + ")" * 300, "deeper than 200"),
    ],
)
def test_what_is_no_tree_is_refused_with_its_place(text, said):
    with pytest.raises(UserError, match=rf"^p\.txt, line 3: .*{said}"):
        read(text, "a b")


def test_what_a_parser_is_not_given_here_is_kept_with_the_same_reason():
    assert read("()", "a b") == (None, "failed", "no tree given")
    assert read("( ( ) )", "a b").status == "failed"
    assert read("(S (X a) (X b))", "a b", most=1) == (None, "rejected", "more than 1 words")
    marked = read("(S (X <node_1>))", "<node_1>")
    assert marked.status == "rejected" and "stands for a node" in marked.reason

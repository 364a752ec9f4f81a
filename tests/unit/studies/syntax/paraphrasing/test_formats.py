"""Every format of targets reads back what it writes, and shows what it says."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.studies.syntax.random_trees import any_tree, random_tree
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.formats import FORMATS, Shape, fill, format_named, read
from tuneatlas.studies.syntax.trees.linear import FORMS, read_bracket, write_sentence
from tuneatlas.studies.syntax.trees.trees import height, leafless, prune, words

SHAPE = Shape(5, FORMS["bracket"])
TREES = {
    "source": read_bracket("(ROOT (S (NP (PRP it)) (VP (VBZ matters) (NP (DT a) (NN lot)))))"),
    "template": read_bracket("(ROOT (S (NP (DT that)) (VP (VBZ is) (ADJP (JJ important)))))"),
    "exemplar": read_bracket("(ROOT (S (NP (DT the) (NN cat)) (VP (VBZ is) (ADJP (JJ red)))))"),
    "target": read_bracket("(ROOT (S (NP (DT that)) (VP (VBZ is) (ADJP (JJ important)))))"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_its_own_target_back(name):
    kind = format_named(name)
    rng = random.Random(name)
    for number in range(300):
        shape = Shape(rng.randint(1, 6), FORMS[("bracket", "slash", "path")[number % 3]])
        trees = {key: random_tree(rng, 4) for key in TREES}
        text = fill(kind, trees, shape)
        reading = read(kind, text.target, shape)
        assert (reading.sentence, reading.problem) == (write_sentence(trees["target"]), "")
        if kind.read == "phrases":
            assert reading.tree == prune(trees["target"], shape.height)
        elif kind.read == "tree_then_sentence":
            assert reading.tree == leafless(trees["template"], shape.height)
        elif kind.read == "tokens":
            assert words(reading.tree) == words(trees["target"])
        else:
            assert reading.tree is None


@given(any_tree, any_tree, st.sampled_from(sorted(FORMATS)))
@settings(max_examples=200, deadline=None)
def test_any_trees_can_be_shown(one, other, name):
    trees = {"source": one, "template": one, "exemplar": other, "target": one}
    kind = format_named(name)
    text = fill(kind, trees, SHAPE)
    read(kind, text.target, SHAPE)
    assert "\n" not in text.input + text.target


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith("tokens")])
def test_of_a_template_deeper_than_the_height_the_rest_is_not_shown(name):
    """Formats of tokens show the tag of every word, whose depth is no part of what is asked for."""
    rng = random.Random(name)
    deeper = 0
    for _ in range(200):
        trees = {key: random_tree(rng, 6) for key in TREES}
        shape = Shape(rng.randint(1, 4), FORMS["bracket"])
        whole = {name: trees[name] for name in ("template", "exemplar")}
        deeper += height(trees["template"]) > shape.height
        cut = {name: prune(tree, shape.height) for name, tree in whole.items()}
        assert fill(format_named(name), trees, shape) == fill(
            format_named(name), trees | cut, shape
        )
    assert deeper > 100


def test_what_the_patterns_show():
    def shown(name, height=3):
        return fill(FORMATS[name], TREES, Shape(height, FORMS["bracket"]))

    assert shown("masked_template").input == (
        "it matters a lot <sep> (ROOT (S (NP it) (VP matters a lot))) <sep> "
        "(ROOT (S (NP <extra_id_0>) (VP <extra_id_1>)))"
    )
    assert shown("aesop_tree").target == "(ROOT (S (NP) (VP))) <sep> that is important"
    assert shown("tokens_template").input.endswith("(DT the) (NN cat) (VBZ is) (JJ red)")
    assert shown("phrases_target").target == "(ROOT (S (NP that) (VP is important)))"


@pytest.mark.parametrize("name", FORMATS)
@given(st.text(alphabet="ab (/)<sep>", max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_output_is_read(name, output):
    kind = FORMATS[name]
    reading = read(kind, output, SHAPE)
    assert kind.read == "sentence" or reading.tree is not None or reading.problem


def test_outputs_that_are_no_tree():
    reading = read(FORMATS["phrases_target"], "(ROOT (NP that is", SHAPE)
    assert reading.sentence == "that is" and "without ')'" in reading.problem
    reading = read(FORMATS["aesop_tree"], "that is it", SHAPE)
    assert reading == ("", None, "output: no <sep>")
    reading = read(FORMATS["tokens_target"], "(DT that it)", SHAPE)
    assert reading.sentence == "that it" and reading.problem
    with pytest.raises(UserError, match="no format 'aesops'; there are: masked_template"):
        format_named("aesops")

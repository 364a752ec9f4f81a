"""Formats as Liu et al. 2024 write them, to the character, and read back."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import TEMPLATES
from tests.unit.studies.syntax.random_trees import any_tree, random_tree
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing import reading
from tuneatlas.studies.syntax.paraphrasing.formats import (
    asked,
    fill,
    format_files,
    read,
    read_format,
    trained_as,
    write_masked,
    write_pruned,
)
from tuneatlas.studies.syntax.paraphrasing.generate import inputs_of
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket, write_sentence
from tuneatlas.studies.syntax.trees.trees import height, prune

FOLDER = TEMPLATES / "paraphrases"
FORMATS = {path.stem: read_format(path) for path in sorted(FOLDER.glob("*.yaml"))}

# The worked examples of the released code: source, target, exemplar.
TREES = {
    "source": read_bracket(
        "(ROOT (S (NP (NNP Tom)) (VP (VBZ sells) (NP (NP (DT the) (NN tea)) (PP (IN of) "
        "(NNP Ann))))))"
    ),
    "target": read_bracket(
        "(ROOT (S (NP (NP (DT the) (NN tea)) (PP (IN of) (NNP Ann))) (VP (VBZ is) (VP (VBN "
        "sold)))))"
    ),
    "exemplar": read_bracket("(ROOT (S (NP (DT that)) (VP (VBZ is) (VP (VBN known)))))"),
}
S, G, E = "Tom sells the tea of Ann", "the tea of Ann is sold", "that is known"
S1 = "(ROOT (S (NP (NNP Tom)) (VP (VBZ sells) (NP (NP the tea) (PP of Ann)))))"
G1 = "(ROOT (S (NP (NP (DT the) (NN tea)) (PP (IN of) (NNP Ann))) (VP (VBZ is) (VP (VBN sold)))))"
E1 = "(ROOT (S (NP (DT that)) (VP (VBZ is) (VP (VBN known)))))"
G0 = "(ROOT (S (NP (NP DT NN) (PP IN NNP)) (VP (VBZ ) (VP VBN))))"
E0 = "(ROOT (S (NP (DT )) (VP (VBZ ) (VP VBN))))"
G2 = (
    "(ROOT (S (NP (NP (DT <extra_id_0>) (NN <extra_id_1>)) (PP (IN <extra_id_2>) (NNP "
    "<extra_id_3>))) (VP (VBZ <extra_id_4>) (VP (VBN <extra_id_5>)))))"
)
E2 = "(ROOT (S (NP (DT <extra_id_0>)) (VP (VBZ <extra_id_1>) (VP (VBN <extra_id_2>)))))"
M = (
    "<extra_id_0>the<extra_id_1>tea<extra_id_2>of<extra_id_3>Ann<extra_id_4>is<extra_id_5>sold"
    "<extra_id_6>"
)
PREFIX = f"scpg source sentence: {S} source syntax tree: {S1} template syntax tree:"
NO_TREE = f"no-tree-scpg source sentence: {S} template sentence: {E}"
# Training input, test input, training output, sentence read from it.
GOLDEN = {
    "t5_prefix": (f"{PREFIX}{G2}", f"{PREFIX}{E2}", M, G),
    "t5_prefix_triple": (f"{PREFIX}{E2}", f"{PREFIX}{E2}", G, G),
    "t5_prefix_oracle": (f"{PREFIX}{G2}", f"{PREFIX}{G2}", M, G),
    "t5_prefix_last_digit": (f"{PREFIX}{G2}", f"{PREFIX}{E2}", M, G),
    "xxx_tree": (
        f"<src> {S} <src_t> {S1} <temp_t> {G2}",
        f"<src> {S} <src_t> {S1} <temp_t> {E2}",
        *(M, G),
    ),
    "xxx_tree_triple": (*[f"<src> {S} <src_t> {S1} <temp_t> {E2}"] * 2, G, G),
    "xxx_tree_oracle": (*[f"<src> {S} <src_t> {S1} <temp_t> {G2}"] * 2, M, G),
    "tree": (f"<sent> {S} <tree> {S1} <tree> {G2}", f"<sent> {S} <tree> {S1} <tree> {E2}", M, G),
    "tree_triple": (*[f"<sent> {S} <tree> {S1} <tree> {E2}"] * 2, G, G),
    "tree_oracle": (*[f"<sent> {S} <tree> {S1} <tree> {G2}"] * 2, M, G),
    "aesop_nooutputtree": (f"{S} <sep> {S1} <sep> {G0}", f"{S} <sep> {S1} <sep> {E0}", G, G),
    "aesop_nooutputtree_triple": (*[f"{S} <sep> {S1} <sep> {E0}"] * 2, G, G),
    "aesop_nooutputtree_oracle": (*[f"{S} <sep> {S1} <sep> {G0}"] * 2, G, G),
    "aesop": (
        f"{S} <sep> {S1} <sep> {G0}",
        f"{S} <sep> {S1} <sep> {E0}",
        *(f"{G0} <sep> {G}", G),
    ),
    "aesop_triple": (*[f"{S} <sep> {S1} <sep> {E0}"] * 2, f"{E0} <sep> {G}", G),
    "aesop_oracle": (*[f"{S} <sep> {S1} <sep> {G0}"] * 2, f"{G0} <sep> {G}", G),
    "triplet": (
        *[NO_TREE] * 2,
        f"source syntax tree: {S1} template syntax tree: {E1} target sentence: {G}",
        G,
    ),
    "triplet_nooutputtree": (*[NO_TREE] * 2, G, G),
    "triplet_token": (*[NO_TREE] * 2, f"<src_tree> {S1} <temp_tree> {E1} <tgt> {G}", G),
    "triplet_tgtonly": (*[NO_TREE] * 2, f"{E1} <tgt> {G}", G),
    "triplet_tree": (*[NO_TREE] * 2, f"{E1} <tgt> {G1}", G),
    "triplet_tgttreeonly": (*[NO_TREE] * 2, G1, G),
    "triplet_sentencetree": (*[NO_TREE] * 2, f"{G} <tgt> {E1}", G),
    "triplet_sentencetgttree": (*[NO_TREE] * 2, f"{G} <tgt> {G1}", G),
}
LONGEST = {"triplet_sentencetree": 1000}


def test_every_format_has_its_worked_example():
    assert set(GOLDEN) == set(FORMATS)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_worked_examples_to_the_character(name):
    kind, (trained, tested, output, sentence) = FORMATS[name], GOLDEN[name]
    assert fill(kind, TREES, "train", 5) == (trained, output)
    # In tests the target is not known, but to an oracle.
    known = TREES if kind.oracle else {k: t for k, t in TREES.items() if k != "target"}
    assert asked(kind, known, 5) == tested
    found = read(kind, output)
    assert (found.sentence, found.problem) == (sentence, "")
    assert kind.longest == LONGEST.get(name, 400 if name.startswith("triplet") else 256)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_its_own_output_back(name):
    kind = FORMATS[name]
    rng = random.Random(name)
    for _ in range(60):
        most = rng.randint(2, 6)
        trees = {key: random_tree(rng, 4) for key in TREES}
        target = write_sentence(trees["target"])
        text = fill(kind, trees, "train", most)
        found = read(kind, text.target)
        # The authors' reader of sentinels loses what is behind the ninth slot.
        short = name != "t5_prefix_last_digit" or len(target.split()) <= reading.SLOTS
        assert found.sentence == (target if short else " ".join(target.split()[: reading.SLOTS]))
        assert found.problem == ""
        if name == "triplet_sentencetree":
            assert found.tree == prune(trees["exemplar"], most)


def test_the_authors_reader_loses_the_end_of_ten_slots():
    kind = FORMATS["t5_prefix_last_digit"]
    for count in (8, 9, 10, 14):
        written = "".join(f"<extra_id_{n}>w{n}" for n in range(count)) + f"<extra_id_{count}>"
        kept = count if count < 10 else 9
        assert read(kind, written).sentence == " ".join(f"w{n}" for n in range(kept))
        assert len(read(FORMATS["t5_prefix"], written).sentence.split()) == count


@given(any_tree, any_tree, st.sampled_from(sorted(FORMATS)))
@settings(max_examples=100, deadline=None)
def test_any_trees_can_be_shown(one, other, name):
    trees = {"source": one, "exemplar": other, "target": one}
    text = fill(FORMATS[name], trees, "train", 5)
    read(FORMATS[name], text.target)
    assert "\n" not in text.input + text.target


@pytest.mark.parametrize("name", FORMATS)
def test_of_trees_deeper_than_the_height_the_rest_is_not_shown(name):
    rng = random.Random(name)
    deeper = 0
    for _ in range(60):
        trees = {key: random_tree(rng, 6) for key in TREES}
        most = rng.randint(2, 4)
        deeper += height(trees["exemplar"]) > most
        cut = {key: prune(tree, most) for key, tree in trees.items()}
        for split in ("train", "test"):
            one, other = (fill(FORMATS[name], t, split, most) for t in (trees, cut))
            assert one == other
    assert deeper > 20


def test_a_masked_tree_is_filled_in():
    rng = random.Random(1)
    for _ in range(60):
        tree = random_tree(rng, 5)
        masked = write_masked(tree, 5)
        for number, word in enumerate(write_sentence(tree).split()):
            masked = masked.replace(f"<extra_id_{number}>", word)
        assert masked == write_pruned(tree, 5)


@pytest.mark.parametrize("name", FORMATS)
@given(st.text(alphabet="ab (/)<sep>", max_size=30))
@settings(max_examples=20, deadline=None)
def test_any_output_is_read(name, output):
    found = read(FORMATS[name], output)
    assert not FORMATS[name].tree or found.tree is not None or found.problem


def test_outputs_that_are_not_of_their_form():
    found = read(FORMATS["triplet_tgttreeonly"], "(ROOT (NP (DT that) (VBZ is)")
    assert found.sentence == "that is" and "without ')'" in found.problem
    assert read(FORMATS["aesop"], "that is it").sentence == ""
    assert "after last <sep>" in read(FORMATS["aesop"], "that is it").problem
    found = read(FORMATS["triplet_sentencetree"], "that is it")
    assert found.sentence == "" and found.problem
    found = read(FORMATS["triplet_sentencetree"], "that is <tgt> (S (NP")
    assert found.sentence == "that is" and "without ')'" in found.problem
    found = read(FORMATS["triplet_sentencetree"], "it is <tgt> (S a) <tgt> (S b)")
    assert found.sentence == "it is"


def test_oracles_and_other_readings_are_tuned_once():
    own = {name: trained_as(FOLDER / f"{name}.yaml") for name in FORMATS}
    for name in FORMATS:
        base = name.removesuffix("_oracle").removesuffix("_last_digit")
        assert own[name] == base, name
    assert {name for name, kind in FORMATS.items() if kind.oracle} == {
        name for name in FORMATS if name.endswith("_oracle")
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input: a", "no output, which every format has"),
        ("inputs: a", r"not \['inputs'\]"),
        ("- a", "a format has keys"),
        ("a: [", "not YAML"),
        ('input: "{sauce}"\noutput: "{target}"\nread: whole', r"input: \{sauce\} is none of"),
        ('input: "{source_wood}"\noutput: a\nread: whole', r"input: \{source_wood\} is none of"),
        ("input: a\noutput: b\nread: backwards", "read: 'backwards' is not one of"),
        ("input: a\noutput: b\nread: after last", "read: 'after last' is not one of"),
        ("input: a\noutput: b\nread: whole\ntest: source", "test: 'source' is not one of"),
        ("input: a\noutput: b\nread: whole\nlongest: 0", "longest: 0 is no number"),
        ("input: a\noutput: 3\nread: whole", "output: 3 is not a text"),
        ("like: other", "other.yaml: no such format; there are: mine"),
        ("like: mine", "leads back"),
    ],
)
def test_a_format_that_is_wrong_is_named_with_its_key(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_format(tmp_path / "mine.yaml")


def test_the_files_of_a_format():
    names = [path.stem for path in format_files(FOLDER / "triplet_tree.yaml")]
    assert names == ["triplet_tree", "triplet"]


def test_a_pair_without_what_is_shown_is_named():
    row = {"id": "p/1", **{k: write_bracket(t) for k, t in TREES.items()}, "exemplar": None}
    with pytest.raises(UserError, match="pair p/1 has no exemplar, which format triplet shows"):
        inputs_of(FORMATS["triplet"], [row], 5)
    row |= {"target": None}
    with pytest.raises(UserError, match="has no target, which format aesop_oracle shows"):
        inputs_of(FORMATS["aesop_oracle"], [row], 5)

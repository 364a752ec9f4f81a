"""Every pair gets an exemplar that shows nothing of its answer."""

import random

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from tests.examples import TEMPLATES
from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.exemplars import paraphrase_rows, refuse_none_left
from tuneatlas.studies.syntax.paraphrasing.formats import fill, read_format
from tuneatlas.studies.syntax.tables import PARAPHRASES
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import relabel, words

FORMATS = [read_format(path) for path in sorted((TEMPLATES / "paraphrases").glob("*.yaml"))]


def test_exemplars():
    parses = {
        "s1": "(ROOT (S (NP (PRP I)) (VP (VBP run))))",
        "t1": "(ROOT (NP (NN running)))",
        "s2": "(ROOT (S (NP (PRP you)) (VP (VBP sit))))",
        "t2": "(ROOT (S (NP (PRP it)) (VP (VBZ sits))))",
        "t3": "(ROOT (S (NP (PRP it)) (VP (VBZ sits))))",
        "s3": "(ROOT (NP (NN sitting)))",
    }
    rows = [
        {"id": "p1", "source_id": "s1", "target_id": "t1", "split": "train"},
        {"id": "p2", "source_id": "s2", "target_id": "t2", "split": "train"},
        {"id": "p3", "source_id": "s3", "target_id": "t3", "split": "test"},
        {"id": "p4", "source_id": "s3", "target_id": "unparsed", "split": "test"},
    ]
    rows = [{**row, "template_id": None} for row in rows]
    options = {"height": 5, "pool": 10, "hard": 0.5, "long": 0.5}
    found = paraphrase_rows(rows, parses, overlap=1.0, **options)
    PARAPHRASES.build(found)
    assert [r["exemplar_id"] for r in found] == ["t2", "t1", "t2"]
    assert [r["exemplar_ted"] for r in found] == [4, 4, 0]
    assert [r["source_ted"] for r in found] == [1, 4, 4]
    assert [r["hard"] for r in found] == [False, True, True]
    assert [r["long"] for r in found] == [True, False, True]
    # The nearest may not repeat the words it is to teach the syntax of.
    found = paraphrase_rows(rows, parses, overlap=0.3, **options)
    assert found[-1]["exemplar_id"] == "t1"
    assert found[-1]["exemplar_ted"] == 4
    # One that is given is taken; a pair whose exemplar has no tree is left out.
    given = [
        {**rows[0], "template_id": "s2"},
        {**rows[2], "template_id": "s2"},
        {**rows[1], "template_id": "unparsed"},
    ]
    found = paraphrase_rows(given, parses, overlap=0.0, **options)
    assert [(r["id"], r["exemplar_id"]) for r in found] == [("p1", "s2"), ("p3", "s2")]
    # Without a look-alike a pair for training stays, and one for testing does not.
    found = paraphrase_rows([rows[0], rows[2]], parses, overlap=0.0, **options)
    PARAPHRASES.build(found)
    assert [(r["id"], r["exemplar"]) for r in found] == [("p1", None), ("p3", parses["t1"])]
    found = paraphrase_rows([rows[1], rows[2]], parses, overlap=0.0, **options)
    assert [(r["id"], r["exemplar"]) for r in found] == [("p2", None)]


@over(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_no_input_shows_the_answer(seed, overlap):
    """A format that shows a sentence's words never shows the target's, which are the answer."""
    rng = random.Random(seed)
    trees = {f"t{i}": random_tree(rng, rng.randint(2, 4)) for i in range(16)}
    parses = {key: write_bracket(tree) for key, tree in trees.items()}
    wanted = [
        # Some sentences are the source of one pair and the target of another.
        {"id": f"p{i}", "source_id": f"t{i}", "target_id": f"t{i + 3}", "template_id": None}
        | {"split": rng.choice(["train", "train", "dev"])}
        for i in range(13)
    ]
    rows = paraphrase_rows(wanted, parses, height=5, pool=9, overlap=overlap, hard=0.5, long=0.5)
    sides = {pair["id"]: pair for pair in wanted}
    for row in rows:
        own = sides[row["id"]]
        assert row["exemplar_id"] not in (own["source_id"], own["target_id"])
        if row["exemplar_id"]:
            target, shown_ = (words(trees[i]) for i in (own["target_id"], row["exemplar_id"]))
            assert len({*target} & {*shown_}) <= overlap * len({*target})
            names = ("source", "target", "exemplar")
            marked = {n: _marked(read_bracket(row[n]), n) for n in names}
            for kind in FORMATS:
                text = fill(kind, marked, row["split"], 5).input
                assert "target:" not in text


def _marked(tree, name):
    return relabel(tree, str, lambda word: f"{name}:{word}")


@pytest.mark.parametrize("split", ["dev", "test"])
def test_that_no_pair_is_left_to_measure_by_is_said_at_once(split: str):
    pairs = [{"split": "train"}, {"split": split}]
    refuse_none_left(pairs, pairs)
    refuse_none_left(pairs[:1], pairs[:1])
    with pytest.raises(UserError, match=f"no {split} pair is left"):
        refuse_none_left(pairs, pairs[:1])

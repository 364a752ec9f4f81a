"""Paraphrases of any system, with the numbers that the step gives ours."""

from unittest.mock import patch

import pytest

from tests.unit.api.doctests import run_examples
from tuneatlas.api import paraphrases
from tuneatlas.api.paraphrases import score_paraphrases, tree_edit_distance
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing import score
from tuneatlas.studies.syntax.paraphrasing.formats import Format
from tuneatlas.studies.syntax.tables import CORPUS

SOURCE = "(ROOT (S (NP (DT the) (NN dog)) (VP (VBD saw) (NP (DT the) (NN cat))) (. .)))"
TARGET = "(ROOT (S (NP (DT the) (NN cat)) (VP (VBD was) (VP (VBN seen))) (. .)))"
EXEMPLAR = "(ROOT (S (NP (DT a) (NN bus)) (VP (VBD was) (VP (VBN found))) (. .)))"
OUTPUTS = ["the cat was seen .", "the dog saw the cat .", "dog"]
TREES = [TARGET, SOURCE, None]


def test_examples():
    assert run_examples(paraphrases) >= 5


def test_scores_are_those_of_the_step():
    count = len(OUTPUTS)
    references, sources = ["the cat was seen ."] * count, ["the dog saw the cat ."] * count
    found = score_paraphrases(
        OUTPUTS,
        references,
        sources,
        trees=TREES,
        reference_trees=[TARGET] * count,
        exemplar_trees=[EXEMPLAR] * count,
        heights=(2, 5),
    )
    rows = [{"id": str(n), "output": text, "sentence": text} for n, text in enumerate(OUTPUTS)]
    pair = {"id": "p", "source": SOURCE, "target": TARGET, "exemplar": EXEMPLAR}
    options = {"retokenise": False, "meteor_paraphrases": True, "heights": [2, 5]}
    with patch.object(score, "meteor", lambda texts, *_, **__: [0.0] * len(texts)):
        scores = score.paraphrase_scores(
            rows,
            {row["id"]: pair for row in rows},
            Format("plain", "", "", "whole"),
            OUTPUTS,
            TREES,
            {"meteor": None, "java": None},
            options,
        )
    of_step = {(row["id"], row["metric"]): row["value"] for row in scores}
    assert found.corpus_bleu4 == of_step.pop((CORPUS, "corpus_bleu4"))
    values = {
        (str(number), metric): value
        for number, row in found.items.iterrows()
        for metric, value in row.items()
    }
    assert values == {key: value for key, value in of_step.items() if key[1] != "meteor"}


def test_a_tree_may_be_as_any_parser_writes_it():
    plain = "(S (NP (DT the) (NN cat)) (VP (VBD sat)))"
    written = "( (S\n  (NP-SBJ-1 (DT the) (NN cat))\n  (VP (VBD sat) (NP (-NONE- *T*)))) )"
    assert tree_edit_distance(plain, written) == 0
    assert tree_edit_distance(plain, plain.replace("cat", "dog")) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"references": ["a", "b"]}, "1 outputs, but 2 references"),
        ({"trees": ["(S a)"]}, "trees and reference_trees"),
        ({"trees": ["(S a"], "reference_trees": ["(S a)"]}, "trees, tree 1: 1 '\\(' without '\\)'"),
        ({"trees": ["(S a)"], "reference_trees": ["S"]}, "reference_trees, tree 1: 'S' stands"),
    ],
)
def test_what_does_not_belong_together_is_refused(more, message: str):
    given = {"outputs": ["a"], "references": ["a"], "sources": ["a"], **more}
    with pytest.raises(UserError, match=message):
        score_paraphrases(**given)
    with pytest.raises(UserError, match="the second: "):
        tree_edit_distance("(S a)", "(S a))")

"""Scores of the pre-training tasks by hand."""

import random

import pytest
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu

from tests.unit.studies.syntax.random_trees import random_tree, sentences
from tuneatlas.studies.syntax.paraphrasing.side_by_side import task_means
from tuneatlas.studies.syntax.pretraining import task_scores
from tuneatlas.studies.syntax.pretraining.evaluate import task_score_rows
from tuneatlas.studies.syntax.tables import SCORES
from tuneatlas.studies.syntax.trees.linear import FORMS, write_bracket


def test_task_scores():
    form = FORMS["bracket"]
    assert task_scores.task_score("exact_match", " a  b", "a b", form) == 1
    assert task_scores.task_score("span_f1", "a <sep> b", "b <sep> c", form) == 0.5
    assert task_scores.task_score("span_f1", "a<sep>b", "b <sep> a", form) == 1
    assert task_scores.task_score("label_f1", "a b b", "b a c", form) == pytest.approx(2 / 3)
    assert task_scores.task_score("bracket_f1", "(S (NP a", "(S (NP a))", form) == 0
    assert task_scores.task_score("bleu", "a", "a", form) is None
    tree = write_bracket(random_tree(random.Random(1), 3))
    assert task_scores.task_score("bracket_f1", tree, tree, form) == 1


def test_bleu_of_a_task_is_that_of_all_its_pieces():
    pairs = sentences(4, 30)
    cut = [[list(text) for text in side] for side in zip(*pairs, strict=True)]
    expected = nltk_bleu([[r] for r in cut[1]], cut[0])
    assert task_scores.task_bleu(*cut) == pytest.approx(expected)
    rows = [{"id": f"t#{n}", "task": "pos_tagging", "target": r} for n, (_, r) in enumerate(pairs)]
    rows.append({"id": "t#x", "task": "tree_pruning", "target": "(S a)"})
    found = task_score_rows(rows, [c for c, _ in pairs] + ["(S a)"], "bracket", list)
    SCORES.build(found)
    means = task_means(found)
    assert means["tree_pruning"] == {"mean": 1.0, "examples": 1}
    assert means["pos_tagging"] == {"mean": pytest.approx(expected), "examples": 30}

"""Scores of the pre-training tasks by hand."""

import random

from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.studies.syntax.pretraining import task_scores
from tuneatlas.studies.syntax.trees.linear import FORMS, write_bracket


def test_task_scores():
    form = FORMS["bracket"]
    assert task_scores.task_score("exact_match", " a  b", "a b", form) == 1
    assert task_scores.task_score("span_f1", "a <sep> b", "b <sep> c", form) == 0.5
    assert task_scores.task_score("bracket_f1", "(S (NP a", "(S (NP a))", form) == 0
    tree = write_bracket(random_tree(random.Random(1), 3))
    assert task_scores.task_score("bracket_f1", tree, tree, form) == 1

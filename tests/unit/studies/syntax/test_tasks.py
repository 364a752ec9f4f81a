import contextlib
import random
from collections import Counter
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import any_tree, random_tree
from scipy.stats import chisquare

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.pretraining import denoising, structure_tasks, tasks
from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import Text
from tuneatlas.studies.syntax.trees.linear import FORMS, read_bracket, split_symbols, write_bracket
from tuneatlas.studies.syntax.trees.trees import Tree, nodes, size, words

ALL = STRUCTURE_TASKS | SYNTAX_TASKS | denoising.PLAIN_TASKS
BRACKET = FORMS["bracket"]
TREE = read_bracket("(ROOT (S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (NN it))))))")


@pytest.mark.parametrize("name", ALL)
def test_10000_random_trees_pass_the_checker(name):
    task = ALL[name]
    rng = random.Random(name)
    built = 0
    for number in range(10_000):
        tree = random_tree(rng, 1 + number % 4)
        form = FORMS[("bracket", "slash", "path")[number % 3]]
        text = task.build(tree, rng, form)
        if text:
            built += 1
            assert task.check(tree, text, form), (tree, text)
    assert built > (5_000 if name == "constituency_discrimination" else 8_000)


def test_examples_and_draws_stay_what_they_were():
    """So that a model pre-trained before an edit of the tasks is that of after it."""
    rng = random.Random(11)
    trees = [write_bracket(random_tree(rng, 1 + number % 5)) for number in range(2_000)]
    for chosen, form, digest in (
        (STRUCTURE_TASKS, BRACKET, "e12b2451dda282c4"),
        (SYNTAX_TASKS, BRACKET, "2c86d27ae2c1eb86"),
        (SYNTAX_TASKS, FORMS["slash"], "b1399a677c5b8def"),
        (denoising.PLAIN_TASKS, BRACKET, "8c682f41a4be8e4e"),
    ):
        found = list(tasks.draw_examples(trees, chosen, form, rng))
        assert sha256(repr(found).encode()).hexdigest()[:16] == digest


@settings(max_examples=200, deadline=None)
@given(any_tree, st.sampled_from(sorted(SYNTAX_TASKS)), st.sampled_from([*FORMS]), st.integers(0))
def test_any_tree_passes_the_checker(tree, name, form, seed):
    """Names of any characters, words beside phrases, nodes without any."""
    task = SYNTAX_TASKS[name]
    with contextlib.suppress(ValueError):  # no name to mask
        text = task.build(tree, random.Random(seed), FORMS[form])
        if text:
            assert task.check(tree, text, FORMS[form])


@pytest.mark.parametrize("name", ALL)
def test_checkers_see_a_wrong_target(name):
    task = ALL[name]
    rng = random.Random(name)
    texts = [task.build(TREE, rng, BRACKET) for _ in range(60)]
    targets = [text.target for text in texts if text]
    wrong = {"True": "False", "False": "True"}
    for text in texts:
        other = wrong.get(text.target) or next((t for t in targets if t != text.target), "(X y)")
        with contextlib.suppress(UserError, ValueError):  # refused outright
            assert not task.check(TREE, Text(text.input, other), BRACKET)


@pytest.mark.parametrize("stage", [STRUCTURE_TASKS, SYNTAX_TASKS])
def test_tasks_are_drawn_by_their_weights(stage):
    rng = random.Random(11)
    trees = [write_bracket(random_tree(rng, 3)) for _ in range(20_000)]
    drawn = list(tasks.draw_examples(trees, stage, BRACKET, rng))
    assert len(drawn) > 15_000
    counts = Counter(name for _, name, _ in drawn)
    total = sum(task.weight for task in stage.values())
    expected = [len(drawn) * task.weight / total for task in stage.values()]
    assert chisquare([counts[name] for name in stage], expected).pvalue > 0.001


def test_the_papers_proportions():
    assert [t.weight for t in STRUCTURE_TASKS.values()] == [2, 1, 1, 1, 2]
    total = sum(t.weight for t in SYNTAX_TASKS.values())
    denoise = [t.weight for n, t in SYNTAX_TASKS.items() if n.startswith("denoise")]
    assert len(SYNTAX_TASKS) == 11
    assert denoise == [0.15 * total] * 4
    assert {t.weight for n, t in SYNTAX_TASKS.items() if "denoise" not in n} == {total * 0.4 / 7}


def test_positions_are_drawn_by_depth():
    rng = random.Random(2)
    chain = Tree("A", (Tree("B", (Tree("C", ("d",)),)),))
    drawn = Counter()
    for _ in range(4000):
        text = structure_tasks.treeposition_indexing(chain, rng, BRACKET)
        where = text.input.split(tasks.JOINT)[0]
        drawn[where] += 1
    assert (
        chisquare([drawn[w] for w in ("0", "1", "1 1", "1 1 1")], [400, 800, 1200, 1600])[1] > 0.001
    )


def test_half_of_the_discriminations_are_true():
    rng = random.Random(3)
    build = SYNTAX_TASKS["constituency_discrimination"].build
    texts = [build(random_tree(rng, 4), rng, BRACKET) for _ in range(4000)]
    answers = Counter(text.target for text in texts if text)
    assert chisquare([answers["True"], answers["False"]])[1] > 0.001


def test_anonymous_trees_have_distinct_shuffled_names():
    rng = random.Random(4)
    bare = structure_tasks.anonymise(TREE, rng)
    names = [name for _, name in structure_tasks.places(bare)]
    assert len(set(names)) == size(TREE)
    assert bare != structure_tasks.anonymise(TREE, rng)
    assert structure_tasks.anonymise(Tree("S", ("a",) * 100), rng) is None


def test_denoising_masks_what_it_says():
    rng = random.Random(5)
    masked, total, empty, spans = Counter(), Counter(), 0, 0
    for _ in range(600):
        symbols = split_symbols(write_bracket(random_tree(rng, 6)))
        for level, rate in denoising.RATES.items():
            inside = denoising.intra_spans(symbols, rate, rng, BRACKET)
            assert not any(s in "()" for a, b in inside for s in symbols[a:b])
            across = denoising.inter_spans(symbols, rate, rng)
            assert all(0 <= a <= b <= len(symbols) for a, b in across)
            assert all(b <= c for (_, b), (c, _) in pairwise(across))
            masked[level, "intra"] += sum(b - a for a, b in inside)
            masked[level, "inter"] += sum(b - a for a, b in across)
            total["intra"] += sum(s not in "()" for s in symbols) / 2
            total["inter"] += len(symbols) / 2
            empty += sum(a == b for a, b in across)
            spans += len(across)
    for (level, kind), count in masked.items():
        assert count / total[kind] == pytest.approx(denoising.RATES[level], abs=0.02)
    for form in FORMS.values():
        symbols = split_symbols(form.write(TREE))
        names = [s for a, b in denoising.intra_spans(symbols, 1.0, rng, form) for s in symbols[a:b]]
        assert sorted(names) == sorted([n.label for _, n in nodes(TREE)] + words(TREE))
    # Poisson(3) gives an empty span one time in twenty.
    assert 0.03 < empty / spans < 0.08


def test_examples_of_the_texts():
    rng = random.Random(6)
    assert tasks.prefixed("tree_forming", Text("a", "b")) == Text("tree forming: a", "b")
    text = SYNTAX_TASKS["pos_tagging"].build(TREE, rng, BRACKET)
    assert text == Text("the cat sat on it", "DT NN VBD IN NN")
    text = SYNTAX_TASKS["tree_pruning"].build(TREE, rng, BRACKET)
    assert text.target == "(ROOT (S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP it)))))"
    text = SYNTAX_TASKS["production_detection"].build(TREE, rng, BRACKET)
    assert (
        text.target
        == "ROOT S <sep> S NP VP <sep> NP DT NN <sep> VP VBD PP <sep> PP IN NP <sep> NP NN"
    )
    assert structure_tasks.interpret(read_bracket("(S (NP a) b)")) == (
        "S<H_1><S_1><none> NP<H_2><S_1>S a<H_3><S_1>NP b<H_2><S_2>S"
    )


def test_a_task_may_be_masked_out_but_not_misspelt():
    assert list(tasks.select_tasks(SYNTAX_TASKS, ["tree_pruning"])) == ["tree_pruning"]
    with pytest.raises(UserError, match="no task 'tree_prunning'"):
        tasks.select_tasks(SYNTAX_TASKS, ["tree_prunning"])
    with pytest.raises(UserError, match="no task chosen"):
        tasks.select_tasks(SYNTAX_TASKS, [])

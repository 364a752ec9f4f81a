"""Scores of paraphrases against their definitions and by hand."""

import math
import random
from collections import Counter

import pytest
import sacrebleu
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu

from tests.unit.studies.syntax.plain_distances import as_zss, real_trees
from tests.unit.studies.syntax.plain_distances import reference as slow_distance
from tests.unit.studies.syntax.random_trees import random_tree, sentences
from tuneatlas.studies.syntax.paraphrasing import scores
from tuneatlas.studies.syntax.pretraining import task_scores
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.ted import tree_distance
from tuneatlas.studies.syntax.trees.trees import Tree, leafless, size


def test_corpus_bleu_equals_the_definition():
    pairs = sentences(1)
    candidates, references = [c for c, _ in pairs], [r for _, r in pairs]
    expected = nltk_bleu(
        [[r.lower().split()] for r in references], [c.lower().split() for c in candidates]
    )
    assert scores.corpus_bleu(candidates, references) == pytest.approx(100 * expected, abs=1e-6)
    # As multi-bleu.perl counts it.
    matches, totals, lengths = Counter(), Counter(), [0, 0]
    for candidate, reference in pairs:
        c, r = candidate.lower().split(), reference.lower().split()
        lengths = [lengths[0] + len(c), lengths[1] + len(r)]
        for n in range(1, 5):
            grams = [Counter(tuple(x[i : i + n]) for i in range(len(x) - n + 1)) for x in (c, r)]
            matches[n] += (grams[0] & grams[1]).total()
            totals[n] += grams[0].total()
    brevity = min(1.0, math.exp(1 - lengths[1] / lengths[0]))
    precision = math.exp(sum(math.log(matches[n] / totals[n]) for n in range(1, 5)) / 4)
    assert scores.corpus_bleu(candidates, references) == pytest.approx(100 * brevity * precision)


def longest_common(a, b):
    row = [0] * (len(b) + 1)
    for x in a:
        last = row
        row = [0]
        for j, y in enumerate(b):
            row.append(last[j] + 1 if x == y else max(last[j + 1], row[j]))
    return row[-1]


def test_rouge_equals_the_definition():
    stem = PorterStemmer().stem
    for candidate, reference in sentences(2):
        # rouge_score stems words of more than three letters.
        c, r = (
            [stem(w) if len(w) > 3 else w for w in text.lower().split()]
            for text in (candidate, reference)
        )
        found = scores.text_scores(candidate, reference, "")
        for n in (1, 2):
            grams = [Counter(tuple(x[i : i + n]) for i in range(len(x) - n + 1)) for x in (c, r)]
            assert found[f"rouge{n}"] == pytest.approx(task_scores.f1(*grams))
        common = longest_common(c, r)
        assert found["rougeL"] == pytest.approx(2 * common / (len(c) + len(r)))


def test_copies_and_matches():
    found = scores.text_scores("The cat sat down here", "the cat sat down here", "it sat")
    assert found["bleu4"] == pytest.approx(100)
    assert (found["exact_match"], found["self_copy"], found["rougeL"]) == (1, 0, 1)
    found = scores.text_scores("it  sat", "other words", "It sat")
    assert (found["exact_match"], found["self_copy"], found["rougeL"]) == (0, 1, 0)
    found = scores.text_scores("", "other words", "It sat")
    assert set(found.values()) == {0.0}
    assert set(scores.text_scores("", "other words", "").values()) == {0.0}


@pytest.mark.parametrize(
    "text",
    [
        "Привет мир",
        "你 好 。",
        "?!",
        "naïve café",
        "x",
        "\U0001f600",
        "कि ताब",
        "$ 5",
        ". . .",
        "שלום",
    ],
)
def test_a_text_in_any_script_is_like_itself_and_not_like_another(text):
    found = scores.text_scores(text, text, "other")
    assert found.pop("self_copy") == 0
    assert found.pop("bleu4") == pytest.approx(100)
    assert set(found.values()) == {1.0}
    assert scores.text_scores(f"{text} {text}", text, "")["rouge1"] == pytest.approx(2 / 3)
    assert scores.text_scores(text, "other words", "")["rouge1"] == 0
    assert scores.corpus_bleu([text] * 2, [text] * 2) == pytest.approx(100)


def test_scores_of_no_candidates():
    assert scores.corpus_bleu([], []) == 0
    assert scores.corpus_bleu(["", " "], ["a b c d e", "f"]) == 0


def sgcp_tree(tree):
    """A tree as eval_utils.py of SGCP makes one: a root S, all other S merged, no words."""
    root = ["S", []]

    def add(above, node):
        if node.label != "S":
            own = [node.label, []]
            above[1].append(own)
            above = own
        for child in node.children:
            if isinstance(child, Tree):
                add(above, child)

    def frozen(node):
        return Tree(node[0], tuple(map(frozen, node[1])))

    add(root, tree)
    return frozen(root)


def distances_equal(distance, count):
    """Whether our distances of real trees, drawn in threes, are those of SGCP's trees."""
    rng = random.Random(3)
    trees = real_trees()
    for _ in range(count):
        a, b, c = rng.sample(trees, 3)
        made = list(map(sgcp_tree, (a, b, c)))
        found = scores.tree_scores(*map(write_bracket, (a, b, c)), [])
        assert found == {"ted_r": distance(*made[:2]), "ted_e": distance(made[0], made[2])}


def test_tree_edit_distances_as_sgcp_computes_them():
    distances_equal(slow_distance, 20)


def test_tree_edit_distances_of_500_pairs_by_zss():
    zss = pytest.importorskip("zss", reason="zss is not installed; the plain reference is tested")
    distances_equal(lambda one, other: zss.simple_distance(as_zss(one), as_zss(other)), 250)


def test_the_worked_distances():
    s, g, e = (
        "(ROOT (S (NP (NNP Tom)) (VP (VBZ sells) (NP (NP (DT the) (NN tea)) (PP (IN of) "
        "(NNP Ann))))))",
        "(ROOT (S (NP (NP (DT the) (NN tea)) (PP (IN of) (NNP Ann))) (VP (VBZ is) (VP (VBN "
        "sold)))))",
        "(ROOT (S (NP (DT that)) (VP (VBZ is) (VP (VBN known)))))",
    )
    assert scores.tree_scores(s, g, e, [])["ted_r"] == 8
    assert scores.tree_scores(g, s, e, [])["ted_e"] == 5
    # Without a tree all nodes of the other count: the S on top and ROOT, or ROOT and S.
    without = scores.tree_scores(None, g, e, [5])
    assert (without["ted_r"], without["ted_r@5"]) == (13, 13)


def test_tree_scores():
    rng = random.Random(3)
    for _ in range(50):
        a, b, c = (random_tree(rng, 4) for _ in range(3))
        texts = [write_bracket(tree) for tree in (a, b, c)]
        found = scores.tree_scores(*texts, [3])
        assert found["ted_r@3"] == tree_distance(*texts[:2], 3)
        assert found["ted_e@3"] == tree_distance(texts[0], texts[2], 3)
        assert scores.tree_scores(None, *texts[1:], [3])["ted_r@3"] == size(leafless(b, 3))
        assert task_scores.bracket_f1(a, a) == 1
        assert task_scores.bracket_f1(a, b) == task_scores.bracket_f1(b, a)
    assert task_scores.bracket_f1(None, a) == 0


def test_bracket_f1_by_hand():
    gold = read_bracket("(S (NP the cat) (VP sat (PP on it)))")
    test = read_bracket("(S (NP the cat) (VP sat on (NP it)))")
    assert task_scores.bracket_f1(test, gold) == pytest.approx(2 * 3 / 8)
    bare = read_bracket("(S (NP) (VP (V) (PP)))")
    assert task_scores.brackets(bare) == Counter(
        [("S", 0, 3), ("NP", 0, 1), ("VP", 1, 3), ("V", 1, 2), ("PP", 2, 3)]
    )


def test_corpus_bleu_equals_sacrebleu_as_multi_bleu_is_set():
    for seed in range(8):
        pairs = sentences(seed, 1 + 7 * seed)
        candidates, references = [c for c, _ in pairs], [r for _, r in pairs]
        expected = sacrebleu.corpus_bleu(
            candidates,
            [references],
            lowercase=True,
            tokenize="none",
            smooth_method="none",
            force=True,
        )
        assert scores.corpus_bleu(candidates, references) == pytest.approx(expected.score)


def test_candidates_are_scored_as_the_authors_cut_them():
    assert scores.retokenised('it\'s "so".') == "it 's `` so '' ."
    assert scores.retokenised("  ") == 37 * "-"

"""Scores of paraphrases against their definitions and by hand."""

import math
import random
from collections import Counter

import pytest
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu

from tests.unit.studies.syntax.random_trees import WORDS, random_tree
from tuneatlas.studies.syntax.paraphrasing import scores
from tuneatlas.studies.syntax.pretraining import task_scores
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.ted import tree_distance
from tuneatlas.studies.syntax.trees.trees import leafless, size

LETTERS = [w for w in WORDS if w.isalpha()] + ["running", "runs", "Cats", "cats"]


def sentences(seed, count=60):
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        reference = [rng.choice(LETTERS) for _ in range(rng.randint(5, 12))]
        candidate = [w if rng.random() < 0.7 else rng.choice(LETTERS) for w in reference]
        pairs.append((" ".join(candidate[: rng.randint(4, 12)]), " ".join(reference)))
    return pairs


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


def test_tree_scores():
    rng = random.Random(3)
    for _ in range(50):
        a, b, c = (random_tree(rng, 4) for _ in range(3))
        texts = [write_bracket(tree) for tree in (a, b, c)]
        found = scores.tree_scores(*texts, 3)
        assert found["ted_r@3"] == tree_distance(*texts[:2], 3)
        assert found["ted_e@3"] == tree_distance(texts[0], texts[2], 3)
        assert scores.tree_scores(None, *texts[1:], 3)["ted_r@3"] == size(leafless(b, 3))
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

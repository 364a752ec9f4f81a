"""Stage 2: eleven tasks on real trees in brackets, four of them denoising (Liu et al. 2024).

Denoising takes 60 % of the draws, the seven others share the rest evenly. Sentences are
written as in the tree, so that words are copied letter by letter.
"""

import random
from collections.abc import Iterator

from tuneatlas.studies.syntax.pretraining.denoising import denoising_tasks
from tuneatlas.studies.syntax.pretraining.structure_tasks import write_productions
from tuneatlas.studies.syntax.pretraining.tasks import Setting, Task, Text
from tuneatlas.studies.syntax.trees.linear import JOINT, escape, write_bracket, write_sentence
from tuneatlas.studies.syntax.trees.trees import (
    Tree,
    nodes,
    productions,
    prune,
    spans,
    words,
)

HEIGHT = 5
SHIFTS = (-3, -2, -1, 1, 2, 3)


def _tagged(tree: Tree) -> Iterator[str]:
    """Each word, and after it the label right above it."""
    for child in tree.children:
        if isinstance(child, str):
            yield from (escape(child), escape(tree.label))
        else:
            yield from _tagged(child)


def pos_tagging(tree: Tree, _: random.Random, _setting: Setting) -> Text:
    """Sentence to its words, each followed by its tag."""
    return Text(f"pos tagging: {write_sentence(tree)}", " ".join(_tagged(tree)))


def tree_pruning(tree: Tree, _: random.Random, _setting: Setting) -> Text:
    """Tree to the tree cut at height 5, words kept under the cut."""
    return Text(f"tree pruning: {write_bracket(tree)}", write_bracket(prune(tree, HEIGHT)))


def pruned_tree_completion(tree: Tree, _: random.Random, _setting: Setting) -> Text:
    """The inverse of ``tree_pruning``."""
    pruned = write_bracket(prune(tree, HEIGHT))
    return Text(f"pruned tree completion: {pruned}", write_bracket(tree))


def pruned_tree_parse(tree: Tree, _: random.Random, _setting: Setting) -> Text:
    """Sentence to the tree cut at height 5."""
    return Text(f"pruned tree parse: {write_sentence(tree)}", write_bracket(prune(tree, HEIGHT)))


def _lexical(node: Tree) -> bool:
    return any(isinstance(child, str) for child in node.children)


def production_detection(tree: Tree, _: random.Random, _setting: Setting) -> Text | None:
    """Tree to the productions that yield no word, in pre-order."""
    inner = (node for _, node in nodes(tree) if node.children)
    both = zip(productions(tree), inner, strict=True)
    found = [production for production, node in both if not _lexical(node)]
    asked = f"production detection: {write_bracket(tree)}"
    return Text(asked, write_productions(found)) if found else None


def _phrases(tree: Tree) -> list[tuple[str, int, int]]:
    """The nodes above those of words, the root too, in pre-order.

    Of each its label as it is written, and its words from where to where.
    """
    both = zip(nodes(tree), spans(tree), strict=True)
    return [
        (escape(label), start, end)
        for (_, node), (label, start, end) in both
        if node.children and not _lexical(node)
    ]


def constituency_searching(tree: Tree, rng: random.Random, _: Setting) -> Text | None:
    """Label and sentence to all phrases with that label, in pre-order.

    Of the labels of all phrases, shuffled, the first that is there twice; else the first.
    """
    phrases = _phrases(tree)
    if not phrases:
        return None
    said = list(map(escape, words(tree)))
    labels = [label for label, _, _ in phrases]
    rng.shuffle(labels)
    label = next((label for label in labels if labels.count(label) > 1), labels[0])
    found = [" ".join(said[start:end]) for other, start, end in phrases if other == label]
    asked = f"constituency searching node: {label} sentence: {' '.join(said)}"
    return Text(asked, JOINT.join(found))


def constituency_discrimination(tree: Tree, rng: random.Random, _: Setting) -> Text | None:
    """Label, span and sentence to True, or to False for the span moved by some words.

    Labels are drawn as often as they occur, and the span is that of the first phrase with the
    label. Moved, it is clipped at the ends of the sentence: it may be shorter, empty, or by
    chance another phrase with the label.
    """
    phrases = _phrases(tree)
    if not phrases:
        return None
    said = list(map(escape, words(tree)))
    drawn = rng.choice(phrases)[0]
    label, start, end = next(phrase for phrase in phrases if phrase[0] == drawn)
    answer = rng.random() < 0.5
    if not answer:
        by = rng.choice(SHIFTS)
        start, end = (min(max(at + by, 0), len(said)) for at in (start, end))
    span = " ".join(said[start:end])
    asked = f"constituency discrimination node: {label} span: {span} sentence: {' '.join(said)}"
    return Text(asked, str(answer))


SYNTAX_TASKS = {
    **denoising_tasks(weight=21),
    "pos_tagging": Task(8, pos_tagging, "bleu"),
    "tree_pruning": Task(8, tree_pruning, "bracket_f1"),
    "pruned_tree_completion": Task(8, pruned_tree_completion, "bracket_f1"),
    "pruned_tree_parse": Task(8, pruned_tree_parse, "bracket_f1"),
    "production_detection": Task(8, production_detection, "span_f1"),
    "constituency_searching": Task(8, constituency_searching, "span_f1"),
    "constituency_discrimination": Task(8, constituency_discrimination, "exact_match"),
}

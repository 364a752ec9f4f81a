"""Stage 2: eleven tasks on real trees, four of them denoising (Liu et al. 2024).

Denoising takes 60 % of the draws, the seven others share the rest evenly. Sentences are
written as in the tree, so that words are copied letter by letter.
"""

import random
from functools import partial

from tuneatlas.studies.syntax.pretraining import flat
from tuneatlas.studies.syntax.pretraining.denoising import denoising_tasks
from tuneatlas.studies.syntax.pretraining.structure_tasks import read_productions
from tuneatlas.studies.syntax.pretraining.tasks import JOINT, BuildWritten, Check, Score, Task, Text
from tuneatlas.studies.syntax.trees.linear import (
    Form,
    read_sentence,
    unescape,
    write_bracket,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.trees import Tree, height, nodes, prune, spans, words

HEIGHT = 5
SHIFTS = (-3, -2, -1, 1, 2, 3)


def check_tagging(tree: Tree, text: Text, _: Form) -> bool:
    """One tag per word, each a label that covers it."""
    covering = [
        {label for label, s, e in spans(tree) if s <= i < e} for i in range(len(words(tree)))
    ]
    tags = read_sentence(text.target)
    return read_sentence(text.input) == words(tree) and (
        len(tags) == len(covering) and all(t in c for t, c in zip(tags, covering, strict=True))
    )


def tree_pruning(tree: Tree, _: random.Random, form: Form) -> Text:
    """Tree to the tree cut at height 5, words kept under the cut."""
    return Text(form.write(tree), form.write(prune(tree, HEIGHT)))


def pruned_tree_completion(tree: Tree, _: random.Random, form: Form) -> Text:
    """The inverse of ``tree_pruning``."""
    return Text(form.write(prune(tree, HEIGHT)), form.write(tree))


def pruned_tree_parse(tree: Tree, _: random.Random, form: Form) -> Text:
    """Sentence to the tree cut at height 5."""
    return Text(write_sentence(tree), form.write(prune(tree, HEIGHT)))


def _is_pruned(tree: Tree, whole: Tree) -> bool:
    """Same words, no deeper than allowed, and all upper nodes of the whole in order."""
    upper = [n.label for p, n in nodes(whole) if len(p) < HEIGHT]
    found = [n.label for _, n in nodes(tree)]
    return words(tree) == words(whole) and height(tree) <= HEIGHT and found == upper


def check_pruning(tree: Tree, text: Text, form: Form) -> bool:
    """The target is the pruned input."""
    return form.read(text.input) == tree and _is_pruned(form.read(text.target), tree)


def check_completion(tree: Tree, text: Text, form: Form) -> bool:
    """The input is the pruned target."""
    return form.read(text.target) == tree and _is_pruned(form.read(text.input), tree)


def check_pruned_parse(tree: Tree, text: Text, form: Form) -> bool:
    """The target is the pruned tree of the sentence."""
    return read_sentence(text.input) == words(tree) and _is_pruned(form.read(text.target), tree)


def _inner(tree: Tree) -> list[Tree]:
    return [node for _, node in nodes(tree) if node.children]


def _lexical(node: Tree) -> bool:
    return any(isinstance(child, str) for child in node.children)


def check_detection(tree: Tree, text: Text, _: Form) -> bool:
    """As many productions as inner nodes, and each node's is there."""
    inner = [n for n in _inner(tree) if not _lexical(n)]
    found = read_productions(text.target)
    bodies = [(n.label, tuple(c.label for c in n.children if isinstance(c, Tree))) for n in inner]
    return sorted(bodies) == sorted((p.head, p.body) for p in found)


def check_searching(tree: Tree, text: Text, _: Form) -> bool:
    """Each phrase is one of the tree's with that label, and none is missing."""
    label, sentence = text.input.split(JOINT)
    inner = [n for p, n in nodes(tree) if p and not _lexical(n) and n.label == unescape(label)]
    found = [read_sentence(phrase) for phrase in text.target.split(JOINT)]
    return read_sentence(sentence) == words(tree) and [words(n) for n in inner if words(n)] == found


def check_discrimination(tree: Tree, text: Text, _: Form) -> bool:
    """True exactly if the tree has that phrase with that label."""
    label, phrase, sentence = text.input.split(JOINT)
    inner = [n for p, n in nodes(tree) if p and not _lexical(n) and n.label == unescape(label)]
    found = read_sentence(phrase) in [words(n) for n in inner]
    return read_sentence(sentence) == words(tree) and str(found) == text.target


def _of_text(check: Check, score: Score, build: BuildWritten) -> Task:
    """A task whose texts are the same in every form, so that the tree in brackets will do."""

    def build_from_tree(tree: Tree, rng: random.Random, _: Form) -> Text | None:
        return build(write_bracket(tree), rng)

    return Task(8, build_from_tree, check, score, build)


SYNTAX_TASKS = {
    **denoising_tasks(weight=21),
    "pos_tagging": _of_text(check_tagging, "exact_match", flat.pos_tagging),
    "tree_pruning": Task(
        8, tree_pruning, check_pruning, "bracket_f1", partial(flat.tree_pruning, HEIGHT)
    ),
    "pruned_tree_completion": Task(
        8,
        pruned_tree_completion,
        check_completion,
        "bracket_f1",
        partial(flat.pruned_tree_completion, HEIGHT),
    ),
    "pruned_tree_parse": Task(
        8,
        pruned_tree_parse,
        check_pruned_parse,
        "bracket_f1",
        partial(flat.pruned_tree_parse, HEIGHT),
    ),
    "production_detection": _of_text(check_detection, "span_f1", flat.production_detection),
    "constituency_searching": _of_text(check_searching, "span_f1", flat.constituency_searching),
    "constituency_discrimination": _of_text(
        check_discrimination, "exact_match", partial(flat.constituency_discrimination, SHIFTS)
    ),
}

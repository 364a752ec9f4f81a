"""Stage 2: eleven tasks on real trees, four of them denoising (Liu et al. 2024).

Denoising takes 60 % of the draws, the seven others share the rest evenly. Sentences are
written as in the tree, so that words are copied letter by letter.
"""

import random
from collections.abc import Iterator

from tuneatlas.studies.syntax.pretraining.denoising import denoising_tasks
from tuneatlas.studies.syntax.pretraining.structure_tasks import read_productions, write_productions
from tuneatlas.studies.syntax.pretraining.tasks import JOINT, Task, Text
from tuneatlas.studies.syntax.trees.linear import (
    Form,
    escape,
    read_sentence,
    unescape,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.trees import (
    Tree,
    height,
    nodes,
    productions,
    prune,
    spans,
    words,
)

HEIGHT = 5
SHIFTS = (-3, -2, -1, 1, 2, 3)


def _tags(tree: Tree) -> Iterator[str]:
    for child in tree.children:
        if isinstance(child, str):
            yield tree.label
        else:
            yield from _tags(child)


def pos_tagging(tree: Tree, _: random.Random, _form: Form) -> Text:
    """Sentence to the label right above each word."""
    return Text(write_sentence(tree), " ".join(map(escape, _tags(tree))))


def tree_pruning(tree: Tree, _: random.Random, form: Form) -> Text:
    """Tree to the tree cut at height 5, words kept under the cut."""
    return Text(form.write(tree), form.write(prune(tree, HEIGHT)))


def pruned_tree_completion(tree: Tree, _: random.Random, form: Form) -> Text:
    """The inverse of ``tree_pruning``."""
    return Text(form.write(prune(tree, HEIGHT)), form.write(tree))


def pruned_tree_parse(tree: Tree, _: random.Random, form: Form) -> Text:
    """Sentence to the tree cut at height 5."""
    return Text(write_sentence(tree), form.write(prune(tree, HEIGHT)))


def _lexical(node: Tree) -> bool:
    return any(isinstance(child, str) for child in node.children)


def production_detection(tree: Tree, _: random.Random, _form: Form) -> Text | None:
    """Sentence to the productions that yield no word, in pre-order."""
    inner = (node for _, node in nodes(tree) if node.children)
    both = zip(productions(tree), inner, strict=True)
    found = [production for production, node in both if not _lexical(node)]
    return Text(write_sentence(tree), write_productions(found)) if found else None


def _phrases(tree: Tree) -> list[tuple[str, int, int]]:
    """The nodes beneath the root with words, but none right beneath them, in pre-order.

    Of each its label as it is written, and its words from where to where.
    """
    both = zip(nodes(tree), spans(tree), strict=True)
    return [
        (escape(label), start, end)
        for (position, node), (label, start, end) in both
        if position and start < end and not _lexical(node)
    ]


def constituency_searching(tree: Tree, rng: random.Random, _: Form) -> Text | None:
    """Label and sentence to all phrases with that label, in pre-order."""
    phrases = _phrases(tree)
    if not phrases:
        return None
    said = list(map(escape, words(tree)))
    label = rng.choice(sorted({label for label, _, _ in phrases}))
    found = [" ".join(said[start:end]) for other, start, end in phrases if other == label]
    return Text(f"{label}{JOINT}{' '.join(said)}", JOINT.join(found))


def constituency_discrimination(tree: Tree, rng: random.Random, _: Form) -> Text | None:
    """Label, phrase and sentence to True, or to False for the phrase shifted by some words."""
    phrases = _phrases(tree)
    said = list(map(escape, words(tree)))
    true = {(label, tuple(said[start:end])) for label, start, end in phrases}
    options = []
    for label, start, end in phrases:
        within = (by for by in SHIFTS if -start <= by <= len(said) - end)
        shifted = [said[start + by : end + by] for by in within]
        false = [other for other in shifted if (label, tuple(other)) not in true]
        if false:
            options.append((label, said[start:end], false))
    if not options:  # also when there are true ones, so that half of the answers stay False
        return None
    label, phrase, false = rng.choice(options)
    answer = rng.random() < 0.5
    shown = " ".join(phrase if answer else rng.choice(false))
    return Text(f"{label}{JOINT}{shown}{JOINT}{' '.join(said)}", str(answer))


def check_tagging(tree: Tree, text: Text, _: Form) -> bool:
    """One tag per word, each a label that covers it."""
    covering = [
        {label for label, s, e in spans(tree) if s <= i < e} for i in range(len(words(tree)))
    ]
    tags = read_sentence(text.target)
    return read_sentence(text.input) == words(tree) and (
        len(tags) == len(covering) and all(t in c for t, c in zip(tags, covering, strict=True))
    )


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


SYNTAX_TASKS = {
    **denoising_tasks(weight=21),
    "pos_tagging": Task(8, pos_tagging, check_tagging, "exact_match"),
    "tree_pruning": Task(8, tree_pruning, check_pruning, "bracket_f1"),
    "pruned_tree_completion": Task(8, pruned_tree_completion, check_completion, "bracket_f1"),
    "pruned_tree_parse": Task(8, pruned_tree_parse, check_pruned_parse, "bracket_f1"),
    "production_detection": Task(8, production_detection, check_detection, "span_f1"),
    "constituency_searching": Task(8, constituency_searching, check_searching, "span_f1"),
    "constituency_discrimination": Task(
        8, constituency_discrimination, check_discrimination, "exact_match"
    ),
}

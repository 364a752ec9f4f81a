"""What is right about an example of each pre-training task, told otherwise than it was built."""

import re
from collections import Counter

from tuneatlas.studies.syntax.pretraining.denoising import unmask
from tuneatlas.studies.syntax.pretraining.structure_tasks import (
    read_interpretation,
    read_productions,
)
from tuneatlas.studies.syntax.pretraining.syntax_tasks import HEIGHT, SHIFTS
from tuneatlas.studies.syntax.pretraining.tasks import Text
from tuneatlas.studies.syntax.trees.linear import (
    Form,
    escape,
    read_bracket,
    read_sentence,
    split_symbols,
    unescape,
    write_bracket,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.trees import (
    Tree,
    from_productions,
    height,
    nodes,
    productions,
    splice,
    subtree,
    words,
)


def parts(pattern: str, text: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, text, re.DOTALL)
    assert found, text
    return found.groups()


def at(position: str, sep: str) -> tuple[int, ...]:
    return tuple(int(index) - 1 for index in position.split(sep))


def indexing(_: Tree, text: Text, form: Form) -> bool:
    where, tree = parts("treeposition indexing position: (.*?) tree: (.*)", text.input)
    found = subtree(form.read(tree), at(where, " "))
    return (found if isinstance(found, str) else found.label) == text.target


def forming(_: Tree, text: Text, form: Form) -> bool:
    (asked,) = parts("tree forming: (.*)", text.input)
    tree = form.read(text.target)
    found = read_productions(asked)
    alone = len({p.head for p in found}) == len(found) and len(set(split(tree))) == len(split(tree))
    return found == productions(tree) and (not alone or from_productions(found) == tree)


def split(tree: Tree) -> list[str]:
    return [node.label for _, node in nodes(tree)] + words(tree)


def deleting(_: Tree, text: Text, form: Form) -> bool:
    where, name, tree = parts("node deleting position: (.*?) node: (.*?) tree: (.*)", text.input)
    whole, position = form.read(tree), at(where, ", ")
    node = subtree(whole, position)
    return (
        isinstance(node, Tree)
        and node.label == name
        and form.write(splice(whole, position)) == text.target
    )


def selection(_: Tree, text: Text, form: Form) -> bool:
    depth, tree = parts(r"height selection height: (\d+) tree: (.*)", text.input)
    level: list[Tree | str] = [form.read(tree)]
    for _level in range(int(depth)):
        level = [child for node in level if isinstance(node, Tree) for child in node.children]
    names = [node if isinstance(node, str) else node.label for node in level]
    return bool(names) and names == text.target.split()


def interpreting(_: Tree, text: Text, form: Form) -> bool:
    (asked,) = parts("tree interpreting: (.*)", text.input)
    return read_interpretation(text.target) == form.read(asked)


def denoising(tree: Tree, text: Text, _: Form) -> bool:
    level, kind, masked = parts(r"(low|high) difficulty (intra|inter) span: (.*)", text.input)
    closed = re.findall(r"<extra_id_\d+>", text.target)[len(re.findall("<extra_id_", masked)) :]
    return unmask(Text(masked, text.target)) == write_bracket(tree) and (
        len(closed) == (kind == "intra") and level in ("low", "high")
    )


def tagging(tree: Tree, text: Text, _: Form) -> bool:
    (asked,) = parts("pos tagging: (.*)", text.input)
    found = read_sentence(text.target)
    pairs = Counter((w, n.label) for _, n in nodes(tree) for w in n.children if isinstance(w, str))
    both = Counter(zip(found[::2], found[1::2], strict=True))
    return read_sentence(asked) == words(tree) == found[::2] and both == pairs


def is_pruned(tree: Tree, whole: Tree) -> bool:
    """Same words, no deeper than allowed, and all upper nodes of the whole in order."""
    upper = [n.label for p, n in nodes(whole) if len(p) < HEIGHT]
    found = [n.label for _, n in nodes(tree)]
    return words(tree) == words(whole) and height(tree) <= HEIGHT and found == upper


def pruning(tree: Tree, text: Text, _: Form) -> bool:
    (asked,) = parts("tree pruning: (.*)", text.input)
    return read_bracket(asked) == tree and is_pruned(read_bracket(text.target), tree)


def completion(tree: Tree, text: Text, _: Form) -> bool:
    (asked,) = parts("pruned tree completion: (.*)", text.input)
    return read_bracket(text.target) == tree and is_pruned(read_bracket(asked), tree)


def parse(tree: Tree, text: Text, _: Form) -> bool:
    (asked,) = parts("pruned tree parse: (.*)", text.input)
    return read_sentence(asked) == words(tree) and is_pruned(read_bracket(text.target), tree)


def upper(tree: Tree) -> list[Tree]:
    """The nodes above those of words."""
    inner = [n for _, n in nodes(tree) if n.children]
    return [n for n in inner if all(isinstance(child, Tree) for child in n.children)]


def detection(tree: Tree, text: Text, _: Form) -> bool:
    (asked,) = parts("production detection: (.*)", text.input)
    bodies = [(n.label, tuple(c.label for c in n.children)) for n in upper(tree)]
    return read_bracket(asked) == tree and (
        [(p.head, p.body) for p in read_productions(text.target)] == bodies
    )


def searching(tree: Tree, text: Text, _: Form) -> bool:
    label, sentence = parts("constituency searching node: (.*?) sentence: (.*)", text.input)
    labels = [n.label for n in upper(tree)]
    found = [read_sentence(phrase) for phrase in text.target.split("<sep>")]
    name = unescape(label)
    often = labels.count(name) > 1 or len(set(labels)) == len(labels)
    return (
        often
        and sentence == write_sentence(tree)
        and ([words(n) for n in upper(tree) if n.label == name] == found)
    )


def discrimination(tree: Tree, text: Text, _: Form) -> bool:
    label, span, sentence = parts(
        "constituency discrimination node: (.*?) span: (.*?) sentence: (.*)", text.input
    )
    first = next(n for n in upper(tree) if n.label == unescape(label))
    said, own = write_sentence(tree).split(), list(map(escape, words(first)))
    if sentence != " ".join(said):
        return False
    if text.target == "True":
        return span.split() == own
    starts = [i for i in range(len(said) + 1) if said[i : i + len(own)] == own]
    moved = [
        said[max(i + by, 0) : max(min(i + by + len(own), len(said)), 0)]
        for i in starts
        for by in SHIFTS
    ]
    return text.target == "False" and span.split() in moved


def plain(tree: Tree, text: Text, _: Form) -> bool:
    """The target is the sentence, and what is left of it in the input stands in it in order."""
    _level, asked = parts("plain (low|high): (.*)", text.input)
    left = iter(write_sentence(tree).split())
    shown = [s for s in split_symbols(asked) if not s.startswith("<extra_id_")]
    return text.target == write_sentence(tree) and all(symbol in left for symbol in shown)


CHECKS = {
    "treeposition_indexing": indexing,
    "tree_forming": forming,
    "node_deleting": deleting,
    "height_selection": selection,
    "tree_interpreting": interpreting,
    **{f"denoise_{a}_{b}": denoising for a in ("low", "high") for b in ("intra", "inter")},
    "pos_tagging": tagging,
    "tree_pruning": pruning,
    "pruned_tree_completion": completion,
    "pruned_tree_parse": parse,
    "production_detection": detection,
    "constituency_searching": searching,
    "constituency_discrimination": discrimination,
    "plain_low": plain,
    "plain_high": plain,
}

"""The tasks of ``syntax_tasks`` built from trees in brackets, in one pass over the text.

Most trees of a corpus are used for one example each: to read such a tree and write it again
takes several times longer than to build its example. Names stand in the text as they are
written, so nothing is escaped or unescaped.
"""

import random
import re

from tuneatlas.syntax.tasks import JOINT, Text

_LABELS = re.compile(r"\(([^() ]+)")
_WORDS = re.compile(r" ([^() ]+)")
# A label with its bracket, a word, a closing bracket; the spaces before them belong to them.
_PARTS = re.compile(r" ?\([^() ]+| [^() ]+|\)")


def labels(text: str) -> set[str]:
    """The labels, as they are written."""
    return set(_LABELS.findall(text))


def sentence(text: str) -> str:
    """The words: what is written after a space, as only they and brackets are."""
    return " ".join(_WORDS.findall(text))


def pruned(text: str, depth: int) -> str:
    """The tree cut at ``depth``: nodes there have their words right beneath them."""
    kept = []
    level = 0
    for part in _PARTS.findall(text):
        if part == ")":
            if level <= depth:
                kept.append(part)
            level -= 1
        elif part[0] == "(" or part[1] == "(":
            level += 1
            if level <= depth:
                kept.append(part)
        else:
            kept.append(part)
    return "".join(kept)


class Node:
    """A node while the text is passed over: its label, what is right beneath it, its words."""

    __slots__ = ("below", "end", "label", "lexical", "start")

    def __init__(self, label: str, start: int) -> None:
        self.label, self.start, self.end = label, start, start
        self.below: list[str] = []
        self.lexical = False  # whether words stand right beneath it


def scan(text: str) -> tuple[list[Node], list[str], list[str]]:
    """The nodes in pre-order, the words, and the label right above each word."""
    nodes: list[Node] = []
    words: list[str] = []
    tags: list[str] = []
    stack: list[Node] = []
    for part in _PARTS.findall(text):
        if part == ")":
            stack.pop().end = len(words)
        elif part[0] == "(" or part[1] == "(":
            node = Node(part.lstrip(" ("), len(words))
            if stack:
                stack[-1].below.append(node.label)
            nodes.append(node)
            stack.append(node)
        else:
            words.append(part[1:])
            tags.append(stack[-1].label)
            stack[-1].below.append(part[1:])
            stack[-1].lexical = True
    return nodes, words, tags


def pos_tagging(text: str, _: random.Random) -> Text:
    """Sentence to the label right above each word."""
    _nodes, words, tags = scan(text)
    return Text(" ".join(words), " ".join(tags))


def tree_pruning(depth: int, text: str, _: random.Random) -> Text:
    """Tree to the tree cut at ``depth``."""
    return Text(text, pruned(text, depth))


def pruned_tree_completion(depth: int, text: str, _: random.Random) -> Text:
    """The inverse of ``tree_pruning``."""
    return Text(pruned(text, depth), text)


def pruned_tree_parse(depth: int, text: str, _: random.Random) -> Text:
    """Sentence to the tree cut at ``depth``."""
    return Text(sentence(text), pruned(text, depth))


def production_detection(text: str, _: random.Random) -> Text | None:
    """Sentence to the productions that yield no word, in pre-order."""
    nodes, words, _tags = scan(text)
    found = [" ".join((n.label, *n.below)) for n in nodes if n.below and not n.lexical]
    return Text(" ".join(words), JOINT.join(found)) if found else None


def constituency_searching(text: str, rng: random.Random) -> Text | None:
    """Label and sentence to all phrases with that label, in pre-order."""
    nodes, words, _tags = scan(text)
    inner = _inner(nodes)
    if not inner:
        return None
    label = rng.choice(sorted({n.label for n in inner}))
    found = [" ".join(words[n.start : n.end]) for n in inner if n.label == label]
    return Text(f"{label}{JOINT}{' '.join(words)}", JOINT.join(found))


def _inner(nodes: list[Node]) -> list[Node]:
    """The nodes that are phrases: not the root, and none right above words."""
    return [n for n in nodes[1:] if not n.lexical and n.end > n.start]


def constituency_discrimination(
    shifts: tuple[int, ...], text: str, rng: random.Random
) -> Text | None:
    """Label, phrase and sentence to True, or to False for the phrase shifted by some words."""
    nodes, words, _tags = scan(text)
    inner = _inner(nodes)
    true = {(n.label, " ".join(words[n.start : n.end])) for n in inner}
    options = []
    for node in inner:
        shifted = [
            " ".join(words[node.start + by : node.end + by])
            for by in shifts
            if node.start + by >= 0 and node.end + by <= len(words)
        ]
        false = [phrase for phrase in shifted if (node.label, phrase) not in true]
        if false:
            options.append((node, false))
    if not options:  # also when there are true ones, so that half of the answers stay False
        return None
    node, false = rng.choice(options)
    answer = rng.random() < 0.5
    shown = " ".join(words[node.start : node.end]) if answer else rng.choice(false)
    return Text(f"{node.label}{JOINT}{shown}{JOINT}{' '.join(words)}", str(answer))

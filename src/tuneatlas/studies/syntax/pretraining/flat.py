"""The tasks of ``syntax_tasks`` built from trees in brackets, in one pass over the text.

Most trees of a corpus are used for one example each: to read such a tree and write it again
takes several times longer than to build its example. Names stand in the text as they are
written, so nothing is escaped or unescaped.
"""

import random
import re
from itertools import islice

from tuneatlas.studies.syntax.pretraining.tasks import Text
from tuneatlas.studies.syntax.trees.linear import JOINT

_LABELS = re.compile(r"\(([^() ]+)")


def labels(text: str) -> set[str]:
    """The labels, as they are written."""
    return set(_LABELS.findall(text))


def _parts(text: str) -> list[str]:
    """Labels with their brackets, words, and closing brackets."""
    return text.replace(")", " )").split()


def _pruned(parts: list[str], depth: int) -> str:
    """The tree cut at ``depth``: nodes there have their words right beneath them."""
    kept: list[str] = []
    keep = kept.append
    level = 0
    for part in parts:
        if part == ")":
            if level <= depth:
                keep(part)
            level -= 1
        elif part[0] == "(":
            level += 1
            if level <= depth:
                keep(part)
        else:
            keep(part)
    return " ".join(kept).replace(" )", ")")


# A node not right above words, beneath the root: its label, and its words from where to where.
Phrase = tuple[str, int, int]


def phrases(text: str) -> tuple[list[Phrase], list[str]]:
    """The phrases that have words, in pre-order, and the words."""
    labels: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    words: list[str] = []
    stack: list[int] = []
    for part in _parts(text):
        if part == ")":
            ends[stack.pop()] = len(words)
        elif part[0] == "(":
            stack.append(len(labels))
            labels.append(part[1:])
            starts.append(len(words))
            ends.append(0)
        else:
            labels[stack[-1]] = ""
            words.append(part)
    beneath = islice(zip(labels, starts, ends, strict=True), 1, None)
    return [phrase for phrase in beneath if phrase[0] and phrase[1] < phrase[2]], words


def pos_tagging(text: str, _: random.Random) -> Text:
    """Sentence to the label right above each word."""
    words: list[str] = []
    tags: list[str] = []
    stack: list[str] = []
    for part in _parts(text):
        if part == ")":
            stack.pop()
        elif part[0] == "(":
            stack.append(part[1:])
        else:
            words.append(part)
            tags.append(stack[-1])
    return Text(" ".join(words), " ".join(tags))


def tree_pruning(depth: int, text: str, _: random.Random) -> Text:
    """Tree to the tree cut at ``depth``."""
    return Text(text, _pruned(_parts(text), depth))


def pruned_tree_completion(depth: int, text: str, _: random.Random) -> Text:
    """The inverse of ``tree_pruning``."""
    return Text(_pruned(_parts(text), depth), text)


def pruned_tree_parse(depth: int, text: str, _: random.Random) -> Text:
    """Sentence to the tree cut at ``depth``."""
    parts = _parts(text)
    words = [part for part in parts if part[0] not in "()"]
    return Text(" ".join(words), _pruned(parts, depth))


def production_detection(text: str, _: random.Random) -> Text | None:
    """Sentence to the productions that yield no word, in pre-order."""
    words: list[str] = []
    # Of each node its label and what is right beneath it; of one with a word nothing.
    productions: list[list[str]] = []
    stack: list[list[str]] = [[]]
    for part in _parts(text):
        if part == ")":
            stack.pop()
        elif part[0] == "(":
            node = [part[1:]]
            stack[-1].append(part[1:])
            stack.append(node)
            productions.append(node)
        else:
            words.append(part)
            stack[-1][0] = ""
    found = [" ".join(p) for p in productions if len(p) > 1 and p[0]]
    return Text(" ".join(words), JOINT.join(found)) if found else None


def constituency_searching(text: str, rng: random.Random) -> Text | None:
    """Label and sentence to all phrases with that label, in pre-order."""
    inner, words = phrases(text)
    if not inner:
        return None
    label = rng.choice(sorted({phrase[0] for phrase in inner}))
    found = [" ".join(words[start:end]) for other, start, end in inner if other == label]
    return Text(f"{label}{JOINT}{' '.join(words)}", JOINT.join(found))


def constituency_discrimination(
    shifts: tuple[int, ...], text: str, rng: random.Random
) -> Text | None:
    """Label, phrase and sentence to True, or to False for the phrase shifted by some words."""
    inner, words = phrases(text)
    alike: dict[tuple[str, int], list[list[str]]] = {}  # phrases that a shifted one may equal
    for label, start, end in inner:
        alike.setdefault((label, end - start), []).append(words[start:end])
    options = []
    for label, start, end in inner:
        true = alike[label, end - start]
        last = len(words) - end
        shifted = [words[start + by : end + by] for by in shifts if -start <= by <= last]
        false = [other for other in shifted if other not in true]
        if false:
            options.append((label, words[start:end], false))
    if not options:  # also when there are true ones, so that half of the answers stay False
        return None
    label, phrase, false = rng.choice(options)
    answer = rng.random() < 0.5
    shown = " ".join(phrase if answer else rng.choice(false))
    return Text(f"{label}{JOINT}{shown}{JOINT}{' '.join(words)}", str(answer))

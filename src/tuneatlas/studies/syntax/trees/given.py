"""Parses that are given, from any parser: checked against their sentences, in normal form.

A parser may spell words as treebanks do, in other quotation marks or in lower case; a tree here is
over exact stretches of its sentence, in the sentence's own signs.
"""

import re
from collections.abc import Iterator, Sequence

import regex

from tuneatlas.studies.syntax.trees.linear import MARKERS, TreeError, read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.parsers import NO_TREE
from tuneatlas.studies.syntax.trees.parsing import Parsed, objection
from tuneatlas.studies.syntax.trees.trees import Tree, nodes, normalise, words
from tuneatlas.studies.syntax.trees.words import spelt_alike

GIVEN = "given"
# What treebanks write for one sign stands together; every other sign is compared by itself.
_SIGN = regex.compile(r"\s+|``|''|-{2,}|\X")
_QUOTED = re.compile("``|''")
_DASHES = re.compile("-{2,}")


def given_parse(text: str, sentence: str, max_words: int, where: str) -> Parsed:
    """What a parse in brackets says of its sentence; it is kept as what is parsed here is.

    Raises:
        TreeError: it is no tree, or one over other words; ``where`` says which.
    """
    if "".join(text.split()) in {"".join(none.split()) for none in ("", *NO_TREE)}:
        reason = objection(sentence, max_words)
        return Parsed(None, "rejected" if reason else "failed", reason or "no tree given")
    tree = normalise(read_bracket(text, where))
    if bare := next((node.label for _, node in nodes(tree) if not node.children), None):
        raise TreeError(f"{where}: nothing stands beneath {bare!r}")
    found = stretches(sentence, words(tree), where)
    if reason := objection(sentence, max_words):
        return Parsed(None, "rejected", reason)
    if len(found) > max_words:
        return Parsed(None, "rejected", f"more than {max_words} words")
    if any(MARKERS.search(word) for word in found if word):
        return Parsed(None, "rejected", "a word that stands for a node in written trees")
    kept = _with_words(tree, iter(found))
    return Parsed(kept and write_bracket(kept), "parsed", "")


def stretches(sentence: str, leaves: Sequence[str], where: str) -> list[str | None]:
    """The stretch of the sentence behind each leaf; None for a full stop that parsers make up.

    Behind an abbreviation at the end, such as "U.S.", some write a full stop that is not there.

    Raises:
        TreeError: the leaves do not spell the sentence.
    """
    if list(leaves) == sentence.split():
        return list(leaves)
    signs = [(sign, at) for part, at in _signs(sentence) for sign in part]
    ends = {at: at + len(part) for part, at in _parts(sentence)}
    found: list[str | None] = []
    at = 0
    for leaf in leaves:
        wanted = [sign for part, _ in _signs(leaf) for sign in part]
        have = [sign for sign, _ in signs[at : at + len(wanted)]]
        if wanted == ["."] != have and at and signs[at - 1][0] == ".":
            found.append(None)
            continue
        start = signs[at][1] if at < len(signs) else len(sentence)
        if wanted != have or not wanted:
            rest = sentence[start : start + 30]
            raise TreeError(
                f"{where}: not a parse of its sentence: {leaf!r} stands where the sentence has "
                f"{rest!r}"
            )
        stretch = sentence[start : ends[signs[at + len(wanted) - 1][1]]]
        at += len(wanted)
        if len(stretch.split()) > 1 or (at < len(signs) and signs[at][1] == signs[at - 1][1]):
            raise TreeError(f"{where}: not a parse of its sentence: {leaf!r} is {stretch!r} there")
        found.append(stretch)
    if at < len(signs):
        rest = sentence[signs[at][1] :][:30]
        raise TreeError(f"{where}: not a parse of its sentence: it lacks {rest!r} at the end")
    return found


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """The signs of a text as they stand, and where; white space is none."""
    for match in _SIGN.finditer(text):
        if not match[0].isspace():
            yield match[0], match.start()


def _signs(text: str) -> Iterator[tuple[str, int]]:
    """The same as treebanks spell them, in one way each; nothing for what is not to be seen."""
    for part, at in _parts(text):
        yield _DASHES.sub("-", _QUOTED.sub('"', spelt_alike(part))).casefold(), at


def _with_words(tree: Tree, spelt: Iterator[str | None]) -> Tree | None:
    """The tree over these words, without what has none."""
    kept = (next(spelt) if isinstance(c, str) else _with_words(c, spelt) for c in tree.children)
    children = tuple(c for c in kept if c is not None)
    return Tree(tree.label, children) if children else None

r"""Trees as text: in brackets and with slashes, each with an exact inverse; and as paths.

Paths go from the root to each leaf, so that trees of distinct names alone are read back.

Names (labels and words) are escaped alike: brackets as in the Penn Treebank (``-LRB-``),
a space as ``\_``, other white space and control characters as ``\u`` and four hex digits,
``\`` as ``\\``, a slash at the front as ``\/``, and ``\.`` is nothing: an empty name, or in
one that would be mistaken for something else. A backslash before any other
character stands for that character alone (the treebank writes ``1\/2``).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.trees import Tree, words

NOTHING = "\\."
# Parts lists, in trees written as paths and in what models are asked.
SEP = "<sep>"
JOINT = f" {SEP} "
# Trees are walked by recursion, of at most three calls a level; Python allows 1,000 calls.
DEEPEST = 200
# Names that trees are given in place of words: they are tokens of the models.
MARKERS = re.compile(r"<(?:/?node_\d+|extra_id_\d+)>")
BRACKETS = {"(": "LRB", ")": "RRB", "[": "LSB", "]": "RSB", "{": "LCB", "}": "RCB"}
_FIXED = {"\\": "\\\\", " ": "\\_", "-": "\\-", "/": "\\/", "<": f"<{NOTHING}"}
_OPENED = {f"-{name}-": bracket for bracket, name in BRACKETS.items()}
# A hyphen is marked where it could begin a bracket's name, and < where it could begin a closing
# or a token of the models that is no marker.
_TO_ESCAPE = re.compile(
    r"[()\[\]{}\\\s\x00-\x1f\x7f-\x9f]|-(?=[LR][RSC]B)|^/|^<(?=/)"
    r"|<(?=/?(?:s|pad|unk|sep|none|mask|bos|eos|cls|[HS]_\d+|tgt|ref|sent|(?:src|temp)(?:_t)?|"
    r"(?:src_|temp_)?tree)>)"
)
_ESCAPED = re.compile(r"-[LR][RSC]B-|\\(?:u[0-9a-f]{4}|.)|\\$", re.DOTALL)
_PLAIN = re.compile(r"[^()\[\]{}\\\s\x00-\x1f\x7f-\x9f/<-]+")
_SYMBOLS = re.compile(r"[()]|[^() \t\r\n\f\v]+")


def escape(name: str) -> str:
    """``name`` as it is written."""
    if _PLAIN.fullmatch(name):
        return name
    return _TO_ESCAPE.sub(_escape_one, name) or NOTHING


def _escape_one(match: re.Match[str]) -> str:
    char = match[0]
    if char in BRACKETS:
        return f"-{BRACKETS[char]}-"
    return _FIXED.get(char) or f"\\u{ord(char):04x}"


def unescape(text: str) -> str:
    """The name that was written as ``text``."""
    return _ESCAPED.sub(_unescape_one, text) if "\\" in text or "B-" in text else text


def _unescape_one(match: re.Match[str]) -> str:
    text = match[0]
    if text in _OPENED:
        return _OPENED[text]
    if len(text) > 2:
        return chr(int(text[2:], 16))
    return {"\\_": " ", NOTHING: "", "\\": "\\"}.get(text, text[1:])


def write_bracket(tree: Tree) -> str:
    """``(S (NP (PRP I)) (VP (VBP see)))``."""
    below = (escape(c) if isinstance(c, str) else write_bracket(c) for c in tree.children)
    return f"({' '.join((escape(tree.label), *below))})"


def read_bracket(text: str, where: str = "tree") -> Tree:
    """Inverse of ``write_bracket``; UserError says at ``where`` what is wrong."""
    found: list[Tree] = []
    stack: list[tuple[str | None, list[Tree | str]]] = []
    for symbol in _SYMBOLS.findall(text):
        if symbol == "(":
            if stack and stack[-1][0] is None:
                stack[-1] = ("", stack[-1][1])
            stack.append((None, []))
            _check_depth(len(stack), where)
        elif symbol == ")":
            if not stack:
                raise UserError(f"{where}: ')' without '('")
            label, children = stack.pop()
            if label is None:
                raise UserError(f"{where}: '()' is a node without a label")
            of: list[Any] = stack[-1][1] if stack else found
            of.append(Tree(label, tuple(children)))
        elif not stack:
            raise UserError(f"{where}: {_short(symbol)!r} stands outside the brackets")
        elif stack[-1][0] is None:
            stack[-1] = (unescape(symbol), stack[-1][1])
        else:
            stack[-1][1].append(unescape(symbol))
    if stack:
        raise UserError(f"{where}: {len(stack)} '(' without ')' at the end")
    if len(found) != 1:
        raise UserError(f"{where}: expected one tree, found {len(found)}: {_short(text)}")
    return found[0]


def _check_depth(depth: int, where: str) -> None:
    if depth > DEEPEST:
        raise UserError(f"{where}: a tree deeper than {DEEPEST}; no sentence has that")


def write_slash(tree: Tree) -> str:
    """``S NP PRP I /PRP /NP VP VBP see /VBP /VP /S``."""
    label = escape(tree.label)
    parts = [label]
    for child in tree.children:
        if isinstance(child, str):
            # Read from the right, a word like its parent's label would open the parent.
            word = escape(child)
            parts.append(NOTHING + word if word == label else word)
        else:
            parts.append(write_slash(child))
    return " ".join((*parts, f"/{label}"))


def read_slash(text: str, where: str = "tree") -> Tree:
    """Inverse of ``write_slash``; UserError says at ``where`` what is wrong."""
    stack: list[tuple[str, list[Tree | str]]] = []
    done: Tree | None = None
    for symbol in reversed(text.split()):
        if done:
            raise UserError(f"{where}: {_short(symbol)!r} stands before the root")
        if symbol.startswith("/"):
            stack.append((symbol[1:], []))
            _check_depth(len(stack), where)
        elif not stack:
            raise UserError(f"{where}: {_short(symbol)!r} stands after the root")
        elif symbol == stack[-1][0]:
            label, children = stack.pop()
            tree = Tree(unescape(label), tuple(reversed(children)))
            if stack:
                stack[-1][1].append(tree)
            else:
                done = tree
        else:
            stack[-1][1].append(unescape(symbol))
    if not done:
        open_ones = " ".join(f"/{label}" for label, _ in stack) or "nothing"
        raise UserError(f"{where}: not a tree: {_short(open_ones)} is left open")
    return done


def write_sentence(tree: Tree) -> str:
    """The words as they stand in the forms of the tree, joined by spaces."""
    return " ".join(map(escape, words(tree)))


def read_sentence(text: str) -> list[str]:
    """The words of a written sentence."""
    return [unescape(word) for word in text.split()]


def in_own_signs(written: str) -> str:
    """A written sentence with the characters that trees write otherwise."""
    return " ".join(" ".join(read_sentence(written)).split())


def split_symbols(text: str) -> list[str]:
    """The names of a written tree and, alone, what stands around them: brackets or ways."""
    return text.replace("(", " ( ").replace(")", " ) ").split()


def join_symbols(symbols: Sequence[str]) -> str:
    """Inverse of ``split_symbols`` for what the forms write."""
    text = " ".join(symbols)
    return text.replace("( ", "(").replace(" )", ")")


def write_paths(tree: Tree) -> str:
    """``S NP it <sep> S VP runs``: the names from the root to each leaf."""
    found: list[str] = []

    def visit(node: Tree | str, above: tuple[str, ...]) -> None:
        way = (*above, escape(node if isinstance(node, str) else node.label))
        below = () if isinstance(node, str) else node.children
        for child in below:
            visit(child, way)
        if not below:
            found.append(" ".join(way))

    visit(tree, ())
    return JOINT.join(found)


def read_paths(text: str, where: str = "tree") -> Tree:
    """The tree of distinct names that ``write_paths`` wrote; its leaves are words.

    UserError says at ``where`` what is wrong.
    """
    ways = [part.split() for part in text.split(SEP)]
    _check_depth(max(map(len, ways)) - 1, where)

    def build(ways: Sequence[Sequence[str]], depth: int) -> list[Tree | str]:
        found: list[Tree | str] = []
        while ways:
            name = ways[0][depth]
            count = next((n for n, way in enumerate(ways) if way[depth] != name), len(ways))
            own, ways = ways[:count], ways[count:]
            if count == 1 and len(own[0]) == depth + 1:
                found.append(unescape(name))
            elif min(map(len, own)) == depth + 1:
                raise UserError(f"{where}: {_short(name)!r} is a leaf and has a leaf beneath it")
            else:
                found.append(Tree(unescape(name), tuple(build(own, depth + 1))))
        return found

    found = build(ways, 0) if all(ways) else []
    if len(found) != 1:
        raise UserError(f"{where}: not paths from one root: {_short(text)}")
    [tree] = found
    return tree if isinstance(tree, Tree) else Tree(tree)


class Form(NamedTuple):
    """A way to write trees, and how they are read."""

    write: Callable[[Tree], str]
    read: Callable[..., Tree]


FORMS = {
    "bracket": Form(write_bracket, read_bracket),
    "slash": Form(write_slash, read_slash),
    "path": Form(write_paths, read_paths),
}


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"

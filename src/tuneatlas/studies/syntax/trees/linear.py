r"""Trees as text: bracket, slash and path forms, each with an exact inverse for any tree.

Names (labels and words) are escaped alike: brackets as in the Penn Treebank (``-LRB-``),
a space as ``\_``, other white space and control characters as ``\u`` and four hex digits,
``\`` as ``\\``, a slash at the front as ``\/``, and ``\.`` is nothing: an empty name, or in
one that would be mistaken for something else. A backslash before any other
character stands for that character alone (the treebank writes ``1\/2``).
"""

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.trees import Position, Tree, nodes, words

NOTHING = "\\."
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
    r"|<(?=/?(?:s|pad|unk|sep|none|mask|bos|eos|cls|[HS]_\d+)>)"
)
_ESCAPED = re.compile(r"-[LR][RSC]B-|\\(?:u[0-9a-f]{4}|.)|\\$", re.DOTALL)
_PLAIN = re.compile(r"[^()\[\]{}\\\s\x00-\x1f\x7f-\x9f/<-]+")
_WAY = re.compile(r"(0|[1-9]\d*(?:\.[1-9]\d*)*)([:=])")
_SYMBOLS = re.compile(r"[()]|[^() \t\r\n\f\v]+")


class TreeError(UserError):
    """A text is no tree. Steps keep the words with what they cannot read."""


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
    """Inverse of ``write_bracket``; TreeError says at ``where`` what is wrong."""
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
                raise TreeError(f"{where}: ')' without '('")
            label, children = stack.pop()
            if label is None:
                raise TreeError(f"{where}: '()' is a node without a label")
            of: list[Any] = stack[-1][1] if stack else found
            of.append(Tree(label, tuple(children)))
        elif not stack:
            raise TreeError(f"{where}: {_short(symbol)!r} stands outside the brackets")
        elif stack[-1][0] is None:
            stack[-1] = (unescape(symbol), stack[-1][1])
        else:
            stack[-1][1].append(unescape(symbol))
    if stack:
        raise TreeError(f"{where}: {len(stack)} '(' without ')' at the end")
    if len(found) != 1:
        raise TreeError(f"{where}: expected one tree, found {len(found)}: {_short(text)}")
    return found[0]


def _check_depth(depth: int, where: str) -> None:
    if depth > DEEPEST:
        raise TreeError(f"{where}: a tree deeper than {DEEPEST}; no sentence has that")


def _closing(written: str) -> str:
    """``/NP``; but ``</node_3>`` for a label that is a token of its own."""
    return f"</{written[1:]}" if written.startswith("<") else f"/{written}"


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
    return " ".join((*parts, _closing(label)))


def read_slash(text: str, where: str = "tree") -> Tree:
    """Inverse of ``write_slash``; TreeError says at ``where`` what is wrong."""
    stack: list[tuple[str, list[Tree | str]]] = []
    done: Tree | None = None
    for symbol in reversed(text.split()):
        if done:
            raise TreeError(f"{where}: {_short(symbol)!r} stands before the root")
        if symbol.startswith(("/", "</")):
            written = symbol[1:] if symbol[0] == "/" else f"<{symbol[2:]}"
            stack.append((written, []))
            _check_depth(len(stack), where)
        elif not stack:
            raise TreeError(f"{where}: {_short(symbol)!r} stands after the root")
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
        open_ones = " ".join(_closing(label) for label, _ in stack) or "nothing"
        raise TreeError(f"{where}: not a tree: {_short(open_ones)} is left open")
    return done


def write_sentence(tree: Tree) -> str:
    """The words as they stand in the forms of the tree, joined by spaces."""
    return " ".join(map(escape, words(tree)))


def read_sentence(text: str) -> list[str]:
    """The words of a written sentence."""
    return [unescape(word) for word in text.split()]


def split_symbols(text: str) -> list[str]:
    """The names of a written tree and, alone, what stands around them: brackets or ways."""
    return text.replace("(", " ( ").replace(")", " ) ").split()


def join_symbols(symbols: Sequence[str]) -> str:
    """Inverse of ``split_symbols`` for what the forms write."""
    text = " ".join(symbols)
    return text.replace("( ", "(").replace(" )", ")")


def write_position(position: Position) -> str:
    """Child indices from 1, joined by spaces; the root's is ``0``."""
    return " ".join(str(i + 1) for i in position) or "0"


def read_position(text: str) -> Position:
    """Inverse of ``write_position``."""
    return () if text == "0" else tuple(int(i) - 1 for i in text.split())


def write_path(tree: Tree) -> str:
    """``0: S 1: NP 1.1: PRP 1.1.1= I``: the way to each node (:) and word (=), pre-order."""
    parts = []
    for position, node in nodes(tree):
        way = ".".join(str(i + 1) for i in position)
        parts += [f"{way or 0}:", _no_way(node.label)]
        start = f"{way}." if way else ""
        for index, child in enumerate(node.children, 1):
            if isinstance(child, str):
                parts += [f"{start}{index}=", _no_way(child)]
    return " ".join(parts)


def _no_way(name: str) -> str:
    written = escape(name)
    return NOTHING + written if _WAY.fullmatch(written) else written


def read_path(text: str, where: str = "tree") -> Tree:
    """Inverse of ``write_path``, in any order; TreeError says at ``where`` what is wrong."""
    names: dict[Position, tuple[str, str]] = {}
    symbols = text.split()
    for way, name in zip_longest(symbols[::2], symbols[1::2], fillvalue=""):
        found = _WAY.fullmatch(way)
        if not found or not name:
            raise TreeError(
                f"{where}: {_short(f'{way} {name}')!r} is not like 1.2: NP or 1.2= word"
            )
        position = read_position(found[1].replace(".", " "))
        if position in names:
            raise TreeError(f"{where}: {found[1]} is there twice")
        _check_depth(len(position), where)
        names[position] = (found[2], unescape(name))
    if names.get((), ("", ""))[0] != ":":
        raise TreeError(f"{where}: there is no root 0: …")
    below: dict[Position, list[Position]] = {}
    for position in sorted(names):
        if position:
            below.setdefault(position[:-1], []).append(position)

    def build(position: Position) -> Tree | str:
        kind, name = names.pop(position)
        children = below.get(position, [])
        if [p[-1] for p in children] != list(range(len(children))) or (kind == "=" and children):
            raise TreeError(f"{where}: the children of {write_position(position)} do not fit")
        return name if kind == "=" else Tree(name, tuple(build(p) for p in children))

    tree = build(())
    if names or isinstance(tree, str):
        raise TreeError(f"{where}: {write_position(next(iter(names)))} has no parent")
    return tree


class Form(NamedTuple):
    """A way to write trees, its inverse, and which of the symbols are no names."""

    write: Callable[[Tree], str]
    read: Callable[..., Tree]
    is_structure: Callable[[str], bool]


FORMS = {
    "bracket": Form(write_bracket, read_bracket, {"(", ")"}.__contains__),
    "slash": Form(write_slash, read_slash, lambda symbol: symbol.startswith(("/", "</"))),
    "path": Form(write_path, read_path, lambda symbol: bool(_WAY.fullmatch(symbol))),
}


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"

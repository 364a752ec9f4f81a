"""YAML as a tree that remembers file and line of every key, and the merge of two such trees."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from tuneatlas.data.text_files import open_input
from tuneatlas.errors import UserError

Key = tuple[str | int, ...]
# A key and what is wrong with it; the keys of what cannot be together, the one to change first.
Found = Iterator[tuple[Key, str]]
Conflict = tuple[tuple[Key, ...], str]
# Sections are nested some four deep.
DEEPEST = 20
TOO_DEEP = f"nested more than {DEEPEST} deep, as nothing of a config is"
NO_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Place:
    """Where something is written."""

    file: Path
    line: int

    def __str__(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the config: which key, what, and where it is written.

    ``meant`` is the known key that an unknown one resembles.
    """

    key: Key
    text: str
    place: Place
    meant: Key | None = None

    def __str__(self) -> str:
        """``file:line: key: problem``."""
        name = dotted(self.key)
        return f"{self.place}: {name}: {self.text}" if name else f"{self.place}: {self.text}"


@dataclass(frozen=True)
class Node:
    """A value and the place of its key; a mapping or a sequence holds further nodes."""

    value: Any
    place: Place

    def plain(self) -> Any:
        """The bare data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def place_of(self, key: Key) -> Place:
        """Where ``key`` is written; for one left at its default, the section it belongs to."""
        node = self
        for part in key:
            try:
                node = node.value[part]
            except (KeyError, IndexError, TypeError):
                break
        return node.place


def dotted(key: Key) -> str:
    """``models.mini.layers`` or ``seeds[1]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def keyed(error: UserError, at: Key, otherwise: Key) -> tuple[Key, str]:
    """The key below ``at`` that a message begins with and the rest of it, or ``otherwise``."""
    start, _, rest = str(error).partition(": ")
    inner = tuple(start.split("."))
    return (inner, rest) if inner[: len(at)] == at and rest else (otherwise, str(error))


def refuse(problems: Iterable[object], heading: str) -> None:
    """Raise one UserError that lists all ``problems``, if there are any."""
    lines = list(dict.fromkeys(str(p) for p in problems))
    if lines:
        raise UserError("\n  ".join([heading, *lines]) if len(lines) > 1 else lines[0])


def read_tree(path: Path, problems: list[Problem], including: tuple[Path, ...] = ()) -> Node:
    """Read an experiment and the file it includes, if any; the experiment's keys win."""
    tree = _read(path, problems)
    include = tree.value.pop("include", None)
    if include is None:
        return tree
    name = include.value
    base = path.parent / name if isinstance(name, str) else path
    if not isinstance(name, str) or not name:
        problems.append(Problem(("include",), "should be the path of one file", include.place))
    elif base.resolve() in {p.resolve() for p in (*including, path)}:
        problems.append(Problem(("include",), f"{name} includes itself", include.place))
    elif not base.is_file():
        text = f"there is no file {base} (the path is relative to this file)"
        problems.append(Problem(("include",), text, include.place))
    else:
        return merge(read_tree(base, problems, (*including, path)), tree)
    return tree


def merge(base: Node, over: Node) -> Node:
    """``base`` with what ``over`` states: mappings key by key, all else replaced.

    A mapping with another ``source`` replaces the base's whole, as other keys belong to it;
    null removes a mapping.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    sources = [n.value["source"].value for n in (base, over) if "source" in n.value]
    if len(sources) == 2 and sources[0] != sources[1]:
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        if key in merged and isinstance(merged[key].value, dict) and child.value is None:
            del merged[key]
        else:
            merged[key] = merge(merged[key], child) if key in merged else child
    return Node(merged, over.place)


def _read(path: Path, problems: list[Problem]) -> Node:
    yaml = YAML(typ="safe", pure=True)
    try:
        with open_input(path) as stream:
            text = stream.readall().decode("utf-8")
        root = yaml.compose(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read the config: {error.strerror}") from error
    except YAMLError as error:
        raise UserError(_explain(path, text, error)) from error
    except RecursionError:
        raise UserError(f"{path}:1: {TOO_DEEP}") from None
    top = Place(path, 1)
    if root is None:
        return Node({}, top)
    if not isinstance(root, MappingNode):
        raise UserError(f"{path}:1: a config is a mapping of 'key: value' lines")
    try:
        return _convert(yaml, root, (), top, problems, frozenset())
    except YAMLError as error:
        raise UserError(_explain(path, text, error)) from error


def _convert(
    yaml: YAML, node: Any, key: Key, place: Place, problems: list[Problem], open_: frozenset[int]
) -> Node:
    if len(key) > DEEPEST:
        raise UserError(f"{place}: {dotted(key[:3])}: {TOO_DEEP}")
    if id(node) in open_:
        raise UserError(f"{place}: {dotted(key)}: an alias that holds itself")
    inside = open_ | {id(node)}

    def line(child: Any) -> Place:
        return Place(place.file, child.start_mark.line + 1)

    if isinstance(node, SequenceNode):
        items = enumerate(node.value)
        return Node(
            [_convert(yaml, n, (*key, i), line(n), problems, inside) for i, n in items], place
        )
    if not isinstance(node, MappingNode):
        return Node(_scalar(yaml, node, key, place), place)
    children: dict[str, Node] = {}
    for name, child in node.value:
        here = line(name)
        if not isinstance(name, ScalarNode):
            problems.append(Problem(key, "a key should be plain text", here))
            continue
        inner = (*key, str(name.value))
        if name.value in children:
            first = children[name.value].place.line
            text = f"stated twice (first in line {first}); keep one of the two"
            problems.append(Problem(inner, text, here))
            continue
        children[name.value] = _convert(yaml, child, inner, here, problems, inside)
    return Node(children, place)


def _scalar(yaml: YAML, node: Any, key: Key, place: Place) -> Any:
    try:
        value = yaml.constructor.construct_object(node, deep=True)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # The library's own errors on tags and numbers that it cannot make a value of.
        text = f"{str(node.value)[:40]!r} is no value of its kind ({error})"
        raise UserError(f"{place}: {dotted(key)}: {text}") from None
    if isinstance(value, str) and NO_TEXT.search(value):
        raise UserError(f"{place}: {dotted(key)}: holds a null or half a character: leave it out")
    return value


def _explain(path: Path, text: str, error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        # The parser notices some faults one line late, at the end of the text.
        line = min(mark.line + 1, max(1, len(text.splitlines())))
        what = " ".join(w for w in (error.context, error.problem) if w)
        return f"{path}:{line}: not valid YAML: {what}"
    position = getattr(error, "position", None)
    line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
    return f"{path}:{line}: not valid YAML: {str(error).splitlines()[0]}"

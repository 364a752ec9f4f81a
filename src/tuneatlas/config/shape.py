"""What may stand where in the config, read off the models: for messages and for the docs."""

import types
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tuneatlas.config.fields import Section
from tuneatlas.config.source import Key


@dataclass(frozen=True)
class Named:
    """A mapping from free names to values of one shape."""

    item: "Shape"


@dataclass(frozen=True)
class Choice:
    """One of several sections, told apart by their ``source``."""

    members: dict[str, type[Section]]


@dataclass(frozen=True)
class Leaf:
    """A plain value."""

    annotation: Any


Shape = type[Section] | Named | Choice | Leaf


def shape_of(annotation: Any) -> Shape:
    """The shape that a type annotation describes."""
    bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, Section):
        return bare
    if get_origin(bare) is dict:
        item = shape_of(get_args(bare)[1])
        # Names of plain values are written in one line, as a list is.
        return Leaf(annotation) if isinstance(item, Leaf) else Named(item)
    members = get_args(bare) if _is_union(bare) else ()
    if members and all(isinstance(m, type) and issubclass(m, Section) for m in members):
        return Choice({tag: m for m in members for tag in allowed(m.model_fields["source"])})
    return Leaf(annotation)


class Located(NamedTuple):
    """A key as written, the shape that stands there, and the shape it is a key of."""

    key: Key
    shape: Shape | None
    parent: Shape | None


def locate(root: type[Section], loc: Iterable[str | int]) -> Located:
    """Turn Pydantic's error location into a key.

    The location also names the chosen member of a ``Choice``, and ``[key]`` for a bad name.
    """
    here = Located((), root, None)
    for part in loc:
        if part == "[key]":
            break
        if isinstance(here.shape, Choice):
            here = here._replace(shape=here.shape.members[str(part)])
        else:
            here = Located((*here.key, part), child(here.shape, part), here.shape)
    return here


def child(shape: Shape | None, name: str | int) -> Shape | None:
    """The shape one key further down, or None where there is none."""
    if isinstance(shape, Named):
        return shape.item
    if isinstance(shape, type) and (field := shape.model_fields.get(str(name))):
        return shape_of(field.rebuild_annotation())
    return None


def allowed(field: FieldInfo) -> tuple[str, ...]:
    """The words a ``Literal`` field accepts; empty for any other."""
    bare = _bare(field.annotation)
    return get_args(bare) if get_origin(bare) is Literal else ()


def type_name(annotation: Any) -> str:
    """A type in words: ``integer``, ``list of number``, ``fp32 | bf16``, ``text or null``."""
    optional = type(None) in get_args(annotation)
    bare = _bare(annotation)
    if get_origin(bare) is Literal:
        text = " | ".join(map(str, get_args(bare)))
    elif get_origin(bare) is tuple:
        text = f"list of {type_name(get_args(bare)[0])}"
    elif get_origin(bare) is dict:
        text = f"by name: {type_name(get_args(bare)[1])}"
    else:
        text = {bool: "boolean", int: "integer", float: "number", str: "text"}[bare]
    return f"{text} or null" if optional else text


def nearest(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for a misspelt word, else the words there are."""
    names = sorted(known)
    match = closest(word, names)
    return f"; did you mean '{match}'?" if match else f"; known here: {', '.join(names)}"


def closest(word: object, known: Iterable[str]) -> str | None:
    """The known word that ``word`` may be a misspelling of."""
    return next(iter(get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)), None)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _bare(annotation: Any) -> Any:
    """The annotation without constraints and without null."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if _is_union(annotation) and type(None) in get_args(annotation):
        (inner,) = [a for a in get_args(annotation) if a is not type(None)]
        return _bare(inner)
    return annotation

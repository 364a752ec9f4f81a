"""How a paraphrase, and a tree beside it, are read from what a model writes.

A way to read is called by its name in a format's file, some with a mark: ``after last <tgt>``.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.linear import TreeError, read_bracket
from tuneatlas.studies.syntax.trees.trees import Tree

_SENTINEL = re.compile(r"<extra_id_\d+>")
# A node right above words: its label, and they.
_INNERMOST = re.compile(r"\(([^()\s]*)([^()]*)\)")
# By the authors' reader, which keeps the last digit of a sentinel's number, what follows the
# ninth of ten or more slots is lost.
SLOTS = 9

# Text and mark to the part that is read; None: it is not there.
Reader = Callable[[str, str], str | None]


def _part(text: str, mark: str, *, last: bool, after: bool) -> str | None:
    before, found, behind = text.rpartition(mark) if last else text.partition(mark)
    return (behind if after else before) if found else None


def _filled(text: str, _: str) -> str | None:
    """What stands behind each sentinel."""
    parts = _SENTINEL.split(text)
    return " ".join(parts[1:]) if len(parts) > 1 else None


def _filled_to_nine(text: str, _: str) -> str | None:
    parts = _SENTINEL.split(text)
    # The last sentinel closes, and has no slot behind it.
    return " ".join(parts[1 : SLOTS + 1] if len(parts) > SLOTS + 2 else parts[1:]) or None


def _innermost(text: str, mark: str) -> str | None:
    """The words of the nodes right above words."""
    part = _part(text, mark, last=True, after=True) if mark else text
    if part is None:
        return None
    found = [said for _, said in _INNERMOST.findall(part)]
    return " ".join(found) if found else None


READERS: dict[str, Reader] = {
    "whole": lambda text, _: text,
    "between sentinels": _filled,
    "between sentinels, as the authors": _filled_to_nine,
    "after last": lambda text, mark: _part(text, mark, last=True, after=True),
    "after first": lambda text, mark: _part(text, mark, last=False, after=True),
    "before last": lambda text, mark: _part(text, mark, last=True, after=False),
    "before first": lambda text, mark: _part(text, mark, last=False, after=False),
    "innermost brackets": _innermost,
    "innermost brackets after last": _innermost,
}
MARKED = frozenset(name for name in READERS if name.endswith((" first", " last")))


def reader_of(said: str) -> tuple[Reader, str] | None:
    """The reader that is called so, with its mark; None if there is none."""
    for name in sorted(READERS, key=len, reverse=True):
        mark = said.removeprefix(name).strip()
        if said.startswith(name) and bool(mark) == (name in MARKED):
            return READERS[name], mark
    return None


class Reading(NamedTuple):
    """What was read from an output: written sentence, tree if the format has one, problem."""

    sentence: str
    tree: Tree | None
    problem: str

    @classmethod
    def of(cls, output: str, read: str, tree: str = "") -> "Reading":
        """Read an output in these ways; a sentence that is not found is empty."""
        sentence = _read(output, read)
        problem = "" if sentence is not None else f"output: not as it is to be read ({read})"
        found = None
        part = _read(output, tree) if tree else None
        if part is not None:
            try:
                found = read_bracket(part, "output")
            except TreeError as error:
                problem = problem or str(error)
        elif tree:
            problem = problem or f"output: no tree ({tree})"
        return cls(" ".join((sentence or "").split()), found, problem)


def _read(output: str, said: str) -> str | None:
    reader = reader_of(said)
    if reader is None:
        raise UserError(f"{said!r} is no way to read; there are: {', '.join(READERS)}")
    read, mark = reader
    return read(output, mark)

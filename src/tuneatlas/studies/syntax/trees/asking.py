"""Asking a program about many lines, and telling a line at fault from a machine at fault.

A program that ends early says nothing about the lines that it was given. Only a line on which
it stops again and again, alone, between lines that it answers, is left without an answer.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from tuneatlas.errors import TransientError
from tuneatlas.studies.syntax.trees.java import Stopped

log = logging.getLogger(__name__)

T = TypeVar("T")
# Times that a line is given to the program alone, and that the program must answer between.
ALONE, HEALTHY = 3, 2


Ask = Callable[[Sequence[str]], tuple[list[T], str]]


def ask_all(ask: Ask[T], lines: Sequence[str], plain: str, name: str) -> list[T | Stopped]:
    """What ``ask`` answers to each line, or why it stops on that line alone.

    ``ask`` gives the answers to the first lines, as far as they are sure, and why there are no
    more (empty: there are as many as lines). ``plain`` is a line that the program called
    ``name`` always has an answer to.

    Raises:
        TransientError: the program does not answer to ``plain`` either.
    """
    if not lines:
        return []
    found, stop = ask(lines)
    if not stop:
        return list(found)
    log.info("%s stopped after %d of %d lines: %s", name, len(found), len(lines), stop)
    _need_health(ask, plain, name, stop)
    if len(lines) == 1:
        return [_alone(ask, lines[0], plain, name)]
    rest = lines[len(found) :]
    half = (len(rest) + 1) // 2
    parts = (part for part in (rest[:half], rest[half:]) if part)
    return [*found, *(answer for part in parts for answer in ask_all(ask, part, plain, name))]


def _alone(ask: Ask[T], line: str, plain: str, name: str) -> T | Stopped:
    stop = ""
    for _ in range(ALONE - 1):
        found, stop = ask([line])
        if not stop:
            return found[0]
        _need_health(ask, plain, name, stop)
    return Stopped(stop)


def _need_health(ask: Ask[T], plain: str, name: str, stop: str) -> None:
    for _ in range(HEALTHY):
        _, again = ask([plain])
        if again:
            words = stop if again == stop else f"{stop}; then, on {plain!r}: {again}"
            raise TransientError(
                f"{name} does not work on this machine: {words}. No sentence is at fault, and "
                "what was parsed before is kept: mend what it says, or give the job more memory, "
                "and run again"
            )

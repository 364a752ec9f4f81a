"""What a pre-training task is, and how tasks are drawn for a stream of trees.

After Liu et al. 2024 (DSMT); the tasks are in ``structure_tasks`` and ``syntax_tasks``.
"""

import random
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Literal, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.linear import Form, read_bracket
from tuneatlas.studies.syntax.trees.trees import Tree

SEP, NONE = "<sep>", "<none>"
JOINT = f" {SEP} "


class Text(NamedTuple):
    """An input and the output that the model is trained to write."""

    input: str
    target: str


Build = Callable[[Tree, random.Random, Form], Text | None]
Check = Callable[[Tree, Text, Form], bool]
Score = Literal["bracket_f1", "span_f1", "exact_match"]


class Task(NamedTuple):
    """A task: how to build it from a tree (None: this tree has none), check and score it."""

    weight: int
    build: Build
    check: Check
    score: Score


def prefixed(name: str, text: Text) -> Text:
    """``text`` with the task's name in front of its input."""
    return Text(f"{prefix(name)}{text.input}", text.target)


@cache
def prefix(name: str) -> str:
    """What stands before the input of a task, for example ``tree forming: ``."""
    return f"{name.replace('_', ' ')}: "


def select_tasks(tasks: Mapping[str, Task], names: Sequence[str]) -> dict[str, Task]:
    """The tasks called ``names``; their weights keep their proportions."""
    unknown = [name for name in names if name not in tasks]
    if unknown or not names:
        what = f"no task {unknown[0]!r}" if unknown else "no task chosen"
        raise UserError(f"tasks: {what}; there are: {', '.join(tasks)}")
    return {name: task for name, task in tasks.items() if name in names}


def draw_examples(
    written: Iterable[str], tasks: Mapping[str, Task], form: Form, rng: random.Random
) -> Iterator[tuple[int, str, Text]]:
    """One example from each tree in brackets: its number, the task's name, and the text.

    Tasks are drawn by weight, exactly: where a tree has no example of the task drawn, the
    task waits for the next tree, and the tree is passed over.
    """
    names = list(tasks)
    weights = list(accumulate(tasks[name].weight for name in names))
    waiting: str | None = None
    for number, tree in enumerate(written):
        # As random.choices has it, without what that does around it.
        name = waiting or names[bisect(weights, rng.random() * weights[-1])]
        text = tasks[name].build(read_bracket(tree), rng, form)
        waiting = None if text else name
        if text:
            yield number, name, prefixed(name, text)

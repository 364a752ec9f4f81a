"""What a pre-training task is, and how tasks are drawn for a stream of trees.

After Liu et al. 2024 (DSMT); the tasks are in ``structure_tasks``, ``syntax_tasks`` and
``plain_tasks``.
"""

import random
from bisect import bisect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.trees.linear import FORMS, Form, read_bracket
from tuneatlas.studies.syntax.trees.trees import Tree

NONE = "<none>"
SENTINELS = 100


class Text(NamedTuple):
    """An input and the output that the model is trained to write."""

    input: str
    target: str


# A text cut where a tokenizer cuts it: joined, the pieces are the text.
Pieces = Callable[[str], Sequence[str]]


class Setting(NamedTuple):
    """What texts depend on beside the tree: how stage 1 writes it, and what is masked as one."""

    form: Form = FORMS["bracket"]
    pieces: Pieces = list


Build = Callable[[Tree, random.Random, Setting], Text | None]
Score = Literal["bracket_f1", "span_f1", "label_f1", "bleu", "exact_match"]


class Task(NamedTuple):
    """A task: how often it is drawn, how a tree gives an example (None: it has none), its score."""

    weight: int
    build: Build
    score: Score


def sentinel(number: int) -> str:
    """What stands for the masked span of a number, counted from 0."""
    return f"<extra_id_{number}>"


def named_tasks(tasks: Mapping[str, Task], names: Sequence[str]) -> dict[str, Task]:
    """The tasks called ``names``; all, if none is named."""
    if unknown := [name for name in names if name not in tasks]:
        raise UserError(f"tasks: no task {unknown[0]!r}; there are: {', '.join(tasks)}")
    return {name: task for name, task in tasks.items() if name in names or not names}


def draw_examples(
    trees: Iterable[str],
    tasks: Mapping[str, Task],
    rng: random.Random,
    setting: Setting,
    kept: Collection[str] | None = None,
) -> Iterator[tuple[int, str, Text]]:
    """One example from each tree in brackets: its number, the task's name, and the text.

    Tasks are drawn by weight, exactly: where a tree has no example of the task drawn, the
    task waits for the next tree, and the tree is passed over. An example of a task that is
    not among ``kept`` is drawn and left out, so that a mask makes a run shorter.
    """
    names = list(tasks)
    weights = list(accumulate(task.weight for task in tasks.values()))
    waiting: str | None = None
    for number, tree in enumerate(trees):
        # As random.choices has it, without what that does around it.
        name = waiting or names[bisect(weights, rng.random() * weights[-1])]
        text = tasks[name].build(read_bracket(tree), rng, setting)
        waiting = None if text else name
        if text and (kept is None or name in kept):
            yield number, name, text

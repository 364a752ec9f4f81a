"""The examples of a pre-training stage: of trees that are trained on, and of trees held out."""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuneatlas.studies.syntax.pretraining.plain_tasks import PLAIN_TASKS
from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import (
    Pieces,
    Setting,
    Task,
    draw_examples,
    named_tasks,
)
from tuneatlas.studies.syntax.trees.linear import FORMS
from tuneatlas.tables import Row

STAGES = {"plain": PLAIN_TASKS, "structure": STRUCTURE_TASKS, "syntax": SYNTAX_TASKS}


def tasks_of(stage: str, options: Mapping[str, Any]) -> tuple[dict[str, Task], Collection[str]]:
    """The tasks that are drawn in a stage, and those of them that are kept.

    Tasks that ``options`` do not name are drawn and left out, which makes the run shorter; with
    option ``refill`` they are not drawn, and trees have examples of the others.
    """
    chosen = named_tasks(STAGES[stage], options.get(f"{stage}_tasks", ()))
    return (chosen if options.get("refill") else STAGES[stage]), set(chosen)


def setting_of(options: Mapping[str, Any], pieces: Pieces = list) -> Setting:
    """How the texts of a stage are written; ``pieces`` says what is masked as one."""
    return Setting(FORMS[options.get("structure_form", "bracket")], pieces)


def split_trees(
    ids: Iterable[str], heldout: int, share: float, rng: random.Random
) -> tuple[list[str], list[str]]:
    """Ids of the trees held out, and of that share of the others which is trained on."""
    order = list(ids)
    rng.shuffle(order)
    rest = order[heldout:]
    return order[:heldout], rest[: round(share * len(rest))]


def example_rows(
    stage: str,
    ids: Sequence[str],
    trees: Mapping[str, str],
    options: Mapping[str, Any],
    rng: random.Random,
    setting: Setting,
) -> Iterator[Row]:
    """A row of TASKS for each of ``ids`` whose tree gives an example."""
    tasks, kept = tasks_of(stage, options)
    written = (trees[tree_id] for tree_id in ids)
    for number, task, text in draw_examples(written, tasks, rng, setting, kept):
        yield {"id": f"{stage}/{ids[number]}#{number}", "task": task, **text._asdict()}

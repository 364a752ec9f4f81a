"""Score what a pre-trained model writes for the examples of held-out trees, task by task."""

from collections.abc import Callable, Sequence

from tuneatlas.studies.syntax.pretraining.build import STAGES
from tuneatlas.studies.syntax.pretraining.task_scores import task_bleu, task_score
from tuneatlas.studies.syntax.pretraining.vocabulary import tidy
from tuneatlas.studies.syntax.tables import CORPUS, score_rows
from tuneatlas.studies.syntax.trees.linear import FORMS
from tuneatlas.tables import Row

SCORED = {name: task.score for tasks in STAGES.values() for name, task in tasks.items()}


def task_score_rows(
    rows: Sequence[Row],
    outputs: Sequence[str],
    form: str,
    cut: Callable[[str], list[str]],
) -> list[Row]:
    """Rows of SCORES for rows of TASKS and what was written for each.

    Tasks that BLEU measures have one score of all examples together, over the pieces that
    ``cut`` makes of a text, and none for each.
    """
    targets = [tidy(row["target"]) for row in rows]
    found: list[dict[str, float | None]] = [
        {row["task"]: task_score(SCORED[row["task"]], output, target, FORMS[form])}
        for row, output, target in zip(rows, outputs, targets, strict=True)
    ]
    together = {}
    for task in dict.fromkeys(row["task"] for row in rows if SCORED[row["task"]] == "bleu"):
        at = [number for number, row in enumerate(rows) if row["task"] == task]
        pairs = ([cut(texts[number]) for number in at] for texts in (outputs, targets))
        together[task] = task_bleu(*pairs)
    corpus = [{"id": CORPUS, "metric": task, "value": value} for task, value in together.items()]
    return [*score_rows(rows, found), *corpus]

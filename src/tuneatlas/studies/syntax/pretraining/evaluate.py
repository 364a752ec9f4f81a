"""Score a pre-trained model on the examples of held-out trees, task by task."""

from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.beam_search import cut_inputs, generate
from tuneatlas.studies.syntax.pretraining.build import STAGES
from tuneatlas.studies.syntax.pretraining.task_scores import task_score
from tuneatlas.studies.syntax.pretraining.vocabulary import tidy
from tuneatlas.studies.syntax.tables import SCORES, TASKS, score_rows
from tuneatlas.studies.syntax.train import open_model
from tuneatlas.studies.syntax.trees.linear import FORMS


def evaluate_tasks(step: Step) -> dict[str, Any]:
    """Score a pre-trained model on the examples of held-out trees, task by task."""
    model, tokenizer = open_model(step, place=True)
    form = FORMS[step.options["form"]]
    rows = [row for path in step.paths("tasks") for row in TASKS.read(path)]
    inputs = [row["input"] for row in rows]
    outputs = generate(
        model, tokenizer, inputs, step.options, step.parts(), [row["id"] for row in rows]
    )
    kinds = {name: task.score for tasks in STAGES.values() for name, task in tasks.items()}
    found: list[dict[str, float | None]] = [
        {row["task"]: task_score(kinds[row["task"]], output, tidy(row["target"]), form)}
        for row, output in zip(rows, outputs, strict=True)
    ]
    SCORES.write(step.outputs["scores"], score_rows(rows, found))
    return {"examples": len(rows), "inputs_cut": cut_inputs(tokenizer, inputs, step.options)}

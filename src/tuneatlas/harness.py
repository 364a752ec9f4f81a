"""Tasks of lm-evaluation-harness, run by its own library on a model folder of the workflow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError


def evaluate_harness(model: Path, options: Mapping[str, Any], *, bos: bool) -> dict[str, Any]:
    """Metrics by task, with the library's version and each task's own.

    ``options`` is the config section ``evaluate_harness`` with the ``dtype`` of the model.
    """
    # Imported here: the library takes seconds, and only this step needs it.
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    from tuneatlas.harness_model import HarnessModel

    folder = options["include_path"]
    manager = TaskManager(include_path=folder)
    unknown = sorted(set(options["tasks"]) - set(manager.all_tasks))
    if unknown:
        raise UserError(
            f"evaluate_harness.tasks: lm-evaluation-harness {lm_eval.__version__} has no task "
            f"{unknown[0]!r}; list them with 'lm_eval ls tasks', or name the folder of your own as "
            "include_path"
        )
    asked = HarnessModel(
        str(model),
        device="cuda" if torch.cuda.is_available() else "cpu",
        parallelize=torch.cuda.device_count() > 1,
        dtype=options["dtype"],
        batch_size=options["batch_rows"],
        add_bos_token=bos,
    )
    asked.go_by_config(chat=options["chat"])
    try:
        found = lm_eval.simple_evaluate(
            model=asked,
            tasks=list(options["tasks"]),
            num_fewshot=options["shots"],
            limit=options["limit"],
            apply_chat_template=options["chat"],
            task_manager=manager,
            bootstrap_iters=0,
        )
    except OSError as error:
        raise UserError(
            f"evaluate_harness: a task's data cannot be had: {error}; fetch them first, or give a "
            "task file with dataset_path: json and name its folder as include_path"
        ) from error
    assert found is not None  # only other ranks than the first get nothing
    return {
        "library": f"lm_eval {lm_eval.__version__}",
        "results": found["results"],
        "versions": found["versions"],
        "shots": found["n-shot"],
        "items": found["n-samples"],
    }


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """As JSON with sorted keys; UserError if a metric is not a number."""
    try:
        text = json.dumps(metrics, indent=1, sort_keys=True, default=str, allow_nan=False)
    except ValueError as error:
        raise UserError(
            f"evaluate_harness: a metric is not a number ({error}); look at the model's training, "
            "or leave the task out"
        ) from None
    path.write_text(text + "\n", encoding="utf-8")

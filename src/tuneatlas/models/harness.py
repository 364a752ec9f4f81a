"""Tasks of lm-evaluation-harness, run by its own library on a model folder of the workflow."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.models.harness_items import item_rows
from tuneatlas.tables import Row

# Resamples for the standard error of a metric that has no formula for it.
DRAWS = 1000

# What the library raises on a task file that asks for what is not there.
UNSOUND = (ValueError, LookupError, TypeError, AttributeError, ImportError, AssertionError)


def open_tasks(options: Mapping[str, Any], root: Path = Path()) -> Any:
    """The library's manager of tasks, which has all that ``options`` name.

    Args:
        options: the config section ``evaluate_harness``.
        root: the folder that ``include_path`` is relative to.

    Raises:
        UserError: there is no such folder or task, or a task file cannot be read.
    """
    # Imported here: the library takes seconds, and few experiments need it.
    import lm_eval
    from lm_eval.tasks import TaskManager

    folder = root / options["include_path"] if options["include_path"] else None
    if folder is not None and not folder.is_dir():
        raise UserError(f"evaluate_harness.include_path: there is no folder {folder}")
    if folder is not None:
        # The library's own thousands take seconds to list, and groups may name some of them.
        manager = TaskManager(include_path=folder, include_defaults=False)
        found = [manager.task_index.get(name) for name in options["tasks"]]
        if all(entry and entry.kind.name == "TASK" for entry in found):
            return manager
    manager = TaskManager(include_path=folder)
    unknown = sorted(set(options["tasks"]) - set(manager.all_tasks))
    if unknown:
        paths = (entry.yaml_path for entry in manager.task_index.values())
        known = {path.resolve() for path in paths if path} if folder else set()
        # The library passes over what it cannot read.
        files = sorted(folder.rglob("*.yaml")) if folder else []
        unread = [str(path) for path in files if path.resolve() not in known]
        also = f"; {unread[0]} holds no task that can be read" if unread else ""
        raise UserError(
            f"evaluate_harness.tasks: lm-evaluation-harness {lm_eval.__version__} has no task "
            f"{unknown[0]!r}{also}; list them with 'lm_eval ls tasks', or name the folder of your "
            "own as include_path"
        )
    return manager


def own_tasks(manager: Any, options: Mapping[str, Any], root: Path = Path()) -> list[str]:
    """Those of the tasks asked whose files lie in ``include_path``."""
    if options["include_path"] is None:
        return []
    folder = (root / options["include_path"]).resolve()
    files = {name: manager.task_index[name].yaml_path for name in options["tasks"]}
    return [n for n, path in files.items() if path and path.resolve().is_relative_to(folder)]


def open_own_tasks(manager: Any, tasks: Sequence[str]) -> None:
    """Open tasks and their data as the library does; UserError names the first that fails."""
    for task in tasks:
        try:
            manager.load([task])
        except OSError as error:
            raise UserError(f"evaluate_harness.tasks: {task}: {_no_data(error)}") from error
        except UNSOUND as error:
            raise UserError(
                f"evaluate_harness.tasks: {task}: its file cannot be used: "
                f"{type(error).__name__}: {error}"
            ) from error


def _no_data(error: OSError) -> str:
    return (
        f"a task's data cannot be had: {error}; fetch them first, or give a task file with "
        "dataset_path: json and name its folder as include_path"
    )


def evaluate_harness(
    model: Path, options: Mapping[str, Any], *, bos: bool
) -> tuple[dict[str, Any], list[Row]]:
    """Metrics by task, with the library's version and each task's own; and HARNESS_ITEMS rows.

    ``options`` is the config section ``evaluate_harness`` with the ``dtype`` of the model.
    """
    # Imported here: the library takes seconds, and only this step needs it.
    import lm_eval
    import torch

    from tuneatlas.models.harness_model import HarnessModel

    manager = open_tasks(options)
    open_own_tasks(manager, own_tasks(manager, options))
    asked = HarnessModel(
        str(model),
        device="cuda" if torch.cuda.is_available() else "cpu",
        parallelize=torch.cuda.device_count() > 1,
        dtype=options["dtype"],
        batch_size=options["batch_rows"],
        add_bos_token=bos,
    )
    asked.go_by_config(chat=options["chat"])
    # It would resample in processes of its own, one for each core of the machine.
    os.environ["DISABLE_MULTIPROC"] = "1"
    try:
        found = lm_eval.simple_evaluate(
            model=asked,
            tasks=list(options["tasks"]),
            num_fewshot=options["shots"],
            limit=options["limit"],
            apply_chat_template=options["chat"],
            task_manager=manager,
            bootstrap_iters=DRAWS,
            log_samples=True,
        )
    except OSError as error:
        raise UserError(f"evaluate_harness: {_no_data(error)}") from error
    assert found is not None  # only other ranks than the first get nothing
    metrics = {
        "library": f"lm_eval {lm_eval.__version__}",
        "results": found["results"],
        "versions": found["versions"],
        "shots": found["n-shot"],
        "items": found["n-samples"],
    }
    return metrics, list(item_rows(found["samples"]))


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

"""Tasks of lm-evaluation-harness on the page: models by the names that readers know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.data.groups import group_name

Read = tuple[Mapping[str, Any], Path, str]


@dataclass(frozen=True)
class Tasks:
    """The tasks of one base model: its name, its numbers, and the folder of its files."""

    name: str
    metrics: Mapping[str, Any]
    links: str
    names: Mapping[str, str]
    versions: str


def tasks_parts(found: Sequence[Read]) -> tuple[Tasks, ...]:
    """The part of the page on each base model, from what step ``compare_harness`` found."""
    return tuple(_part(metrics, links) for metrics, _, links in found)


def _part(metrics: Mapping[str, Any], links: str) -> Tasks:
    names = {row["model"]: model_name(row["model"], row["kind"]) for row in metrics["scores"]}
    versions = sorted(metrics["design"]["versions"].items())
    # Of a task without a version the library says in what its file is written.
    told = ", ".join(f"{task} {v if isinstance(v, int | float) else '-'}" for task, v in versions)
    return Tasks(links.rsplit("/", 1)[-1], metrics, links, names, told)


def model_name(model: str, kind: str) -> str:
    """A model of step ``evaluate_harness`` as readers are told of it."""
    first, *rest = model.split("/")
    match kind:
        case "base":
            return "base model"
        case "restored base":
            return f"base model, restored (seed {rest[0]})"
        case "tuned":
            return f"{group_name(rest[0])}, {first} (seed {rest[1]})"
        case "given":
            return "/".join(rest[:-1])
    return f"{'/'.join(rest[:-2])}, restored (seed {rest[-1]})"

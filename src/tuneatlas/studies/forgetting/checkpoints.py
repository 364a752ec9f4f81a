"""Checkpoints tuned elsewhere as runs of the forgetting study, each with its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuneatlas.studies.forgetting.study import RunName
from tuneatlas.studies.forgetting.tables import StageTable, read_table


def read_runs(
    paths: Sequence[Path], model: str, followed: Sequence[Mapping[str, str]]
) -> dict[RunName, StageTable]:
    """The table of each run, of no domain, from files by checkpoint and seed of its restoration.

    Args:
        paths: files ``…/{model}/{checkpoint}/{seed}.answers.parquet`` and ``….texts.parquet``.
        model: the base.
        followed: the ``checkpoint`` of each step and the ``run`` that it is of.
    """
    places: dict[str, list[Path]] = {}
    for entry in followed:
        folder = Path("measure_checkpoint", model, entry["checkpoint"]).as_posix()
        own = [path for path in paths if path.parent.as_posix().endswith(folder)]
        places.setdefault(entry["run"], []).extend(own)
    return {("", run): read_table(f"checkpoint {run}", own) for run, own in places.items()}

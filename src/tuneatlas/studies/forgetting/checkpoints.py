"""Checkpoints tuned elsewhere as runs of the forgetting study, each with its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuneatlas.studies.forgetting.evaluate import Stage, restored_points
from tuneatlas.studies.forgetting.study import RunName
from tuneatlas.studies.forgetting.tables import StageTable
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS, Row, Table


def checkpoint_stages(tuned: Path, restored: Path, step: int) -> list[Stage]:
    """A checkpoint as it was given, and restored; ``step`` of its tuning, 0 if that is not said."""
    points = restored_points(restored)
    return [
        Stage(tuned, "stages", step, 0),
        *(Stage(folder, "stages", step, percent) for percent, folder in points),
    ]


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
    return {
        ("", run): StageTable(
            f"checkpoint {run}",
            _by_seed(own, STAGE_ANSWERS, "answers"),
            _by_seed(own, STAGE_TEXTS, "texts"),
        )
        for run, own in places.items()
    }


def _by_seed(paths: Sequence[Path], table: Table, kind: str) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for path in paths:
        if path.name.endswith(f".{kind}.parquet"):
            found.setdefault(int(path.name.split(".")[0]), []).extend(table.read(path))
    return found

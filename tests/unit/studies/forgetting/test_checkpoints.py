"""Checkpoints tuned elsewhere are restored, measured and told as our own models are."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.steps import restoring, tuning, weights
from tests.unit.studies.forgetting.followed_runs import OPTIONS, OVERLAP, rows_of
from tuneatlas.models.given import bring_checkpoint
from tuneatlas.report.checkpoints import comes_back
from tuneatlas.report.forgetting import stages_part
from tuneatlas.studies.forgetting.checkpoints import read_runs
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.evaluate import checkpoint_stages
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import restore
from tuneatlas.studies.forgetting.tables import Cell, StageTable
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS

ITEMS = 150
KNOWN = np.arange(ITEMS) < 100
# What 40 of the 100 known questions do in each planted checkpoint: tuned, and restored.
SHIFTED = KNOWN & (np.arange(ITEMS) >= 40)
PLANTED = {
    "unchanged": (KNOWN, KNOWN),
    "format": (SHIFTED, KNOWN),
    "overwritten": (SHIFTED, SHIFTED),
    "both": (SHIFTED, KNOWN & (np.arange(ITEMS) >= 20)),
}


def test_a_model_of_ours_brought_back_is_restored_to_the_same_weights(tmp_path, base):
    finetune_stages(tuning(tmp_path, base, [2]), bos=True)
    restore(restoring(tmp_path, {"step_2": tmp_path / "kept/2"}), bos=False)
    bring_checkpoint(tmp_path / "kept/2", base, tmp_path / "brought")
    restore(restoring(tmp_path, {"tuned": tmp_path / "brought"}, name="given"), bos=False)
    stages = checkpoint_stages(tmp_path / "brought", tmp_path / "given/tuned", 2)
    assert [stage.key for stage in stages] == [
        {"setting": "stages", "step": 2, "restored": percent} for percent in (0, 50, 100)
    ]
    own = [tmp_path / "kept/2", *(tmp_path / f"r/step_2/{at}" for at in (50, 100))]
    assert [weights(stage.folder) for stage in stages] == [weights(path) for path in own]


def written(folder: Path, cells: dict[Cell, np.ndarray]) -> list[Path]:
    found: tuple[list, list] = ([], [])
    for cell, right in cells.items():
        for part, rows in zip(found, rows_of(cell, right, 0), strict=True):
            part += rows
    folder.mkdir(parents=True)
    paths = [folder / "0.answers.parquet", folder / "0.texts.parquet"]
    STAGE_ANSWERS.write(paths[0], found[0])
    STAGE_TEXTS.write(paths[1], found[1])
    return paths


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory):
    """Four planted checkpoints, and one along three steps that are named as another is."""
    folder = tmp_path_factory.mktemp("results") / "measure_checkpoint" / "small"
    paths, followed = [], []
    for name, ends in PLANTED.items():
        cells = {Cell("stages", 0, at): part for at, part in zip((0, 100), ends, strict=True)}
        paths += written(folder / name, cells)
        followed.append({"checkpoint": name, "run": name})
    along = {8: PLANTED["unchanged"], 64: PLANTED["format"], 512: PLANTED["overwritten"]}
    for step, ends in along.items():
        cells = {Cell("stages", step, at): part for at, part in zip((0, 100), ends, strict=True)}
        paths += written(folder / f"small/{step}", cells)
        followed.append({"checkpoint": f"small/{step}", "run": "small"})
    rows = [rows_of(Cell("base", 0, at), KNOWN, 0) for at in (0, 100)]
    base = StageTable(
        "the base model",
        {0: [r for answers, _ in rows for r in answers]},
        {0: [r for _, texts in rows for r in texts]},
    )
    runs = read_runs(paths, "small", followed)
    found = stage_forgetting(base, runs, OVERLAP, OPTIONS, seed=1).metrics()
    found["design"]["tokens"] = 1000
    return found


@pytest.mark.parametrize(
    ("name", "said", "shares"),
    [
        ("unchanged", "no sure loss to bring back", "tuning lost none that its base knew"),
        ("format", "out of reach, not gone (pseudo-forgetting)", ": 26.7% ("),
        ("overwritten", "Knowledge is gone (actual forgetting)", ": 0.0% ("),
        ("both", "Knowledge is gone (actual forgetting)", ": 13.3% ("),
    ],
)
def test_planted_checkpoints_come_out_as_what_they_are(metrics, name, said, shares):
    text = comes_back({"run": name, "step": None}, metrics)
    assert said in text and shares in text, text


def test_a_transition_is_told_along_the_steps(metrics):
    (run,) = [run for run in stages_part(metrics, "x").runs if run.name == "small"]
    assert [row["stage"] for row in run.steps] == [
        "no loss",
        "pseudo-forgetting",
        "actual forgetting",
    ]
    assert "Actual forgetting from step 512 on" in run.sentence


def test_what_was_not_restored_is_said(metrics):
    assert comes_back({"run": "other", "step": None}, metrics).startswith("Not tried")
    assert comes_back({"run": "both", "step": None}, None).startswith("Not tried")

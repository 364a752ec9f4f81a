"""The study of forgetting over replicates of the base model, each with a base of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.config.described import undescribed_columns
from tests.unit.studies.fake_answers import make_context, make_study
from tests.unit.studies.forgetting.followed_runs import ITEMS, OPTIONS, OVERLAP, rows_of
from tuneatlas.errors import UserError
from tuneatlas.plots import draw_figures
from tuneatlas.report import build_report
from tuneatlas.report.forgetting import stages_part
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.figures import STAGE_FIGURES
from tuneatlas.studies.forgetting.intervals import Resampler
from tuneatlas.studies.forgetting.tables import Cell, StageTable, read_tables
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS, Row

STEPS, SEEDS = (4, 16, 64), (0, 1)
# What remains lost at each step when restored, by replicate.
ALIKE = {f"m-{n}": (0.0, 0.0, 0.5) for n in range(3)}
APART = {"m-0": (0.0, 0.0, 0.5), "m-1": (0.0, 0.0, 0.0), "m-2": (0.0, 0.1, 0.1)}
RUN = ("countries", "incompatible")


def files(folder: Path, losses: dict[str, tuple[float, ...]]) -> tuple[list[Path], list[Path]]:
    """Files of all replicates, as the workflow names them."""
    base, runs = [], []
    for number, (model, lost) in enumerate(losses.items()):
        known = np.random.default_rng(number).random(ITEMS) < 0.58 + 0.02 * number
        control = {Cell("base", 0, percent): 0.0 for percent in (0, 50, 100)}
        # Each replicate knows other facts, so its training sets are of other sizes.
        cells = {Cell("finetune", 2 + number, 0): 0.1, Cell("finetune", 2 + number, 100): 0.0}
        for step, share in zip(STEPS, lost, strict=True):
            cells |= {Cell("stages", step, percent): 0.4 for percent in (0, 50)}
            cells |= {Cell("stages", step, 100): share}
        for seed in SEEDS:
            base += write(folder / f"evaluate_base/{model}", seed, control, known)
            runs += write(folder / "evaluate_stages" / model / "/".join(RUN), seed, cells, known)
    return base, runs


def write(folder: Path, seed: int, cells: dict[Cell, float], known: np.ndarray) -> list[Path]:
    answers: list[Row] = []
    texts: list[Row] = []
    for cell, lost in cells.items():
        rng = np.random.default_rng([seed, cell.step, cell.restored])
        for found, rows in zip(
            (answers, texts), rows_of(cell, known & (rng.random(ITEMS) >= lost), seed), strict=True
        ):
            found += rows
    paths = [folder / f"{seed}.{kind}.parquet" for kind in ("answers", "texts")]
    STAGE_ANSWERS.write(paths[0], answers)
    STAGE_TEXTS.write(paths[1], texts)
    return paths


def told(folder: Path, losses: dict[str, tuple[float, ...]]) -> dict[str, Any]:
    base, runs = read_tables(*files(folder, losses))
    return stage_forgetting(base, runs, OVERLAP, OPTIONS, seed=1).metrics()


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(tmp_path_factory.mktemp("alike"), ALIKE)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(tmp_path_factory.mktemp("apart"), APART)


def test_every_column_is_in_the_docs(apart: dict[str, Any]):
    assert undescribed_columns("stage_forgetting", apart) == []


def one(rows: list[Row], **wanted: Any) -> Row:
    [row] = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    return row


def test_numbers_are_means_over_replicates(tmp_path: Path, apart: dict[str, Any]):
    own = [told_alone(tmp_path / f"{n}", n) for n in range(3)]
    for table in ("fates", "tests", "chance_adjusted", "measures"):
        for number, row in enumerate(apart[table]):
            name = "raw" if table == "chance_adjusted" else "value"
            assert row[name] == pytest.approx(
                np.mean([single[table][number][name] for single in own]), abs=2e-6
            )
    assert apart["design"]["replicates"] == list(APART)
    assert apart["design"]["seeds"] == list(SEEDS)


def told_alone(folder: Path, number: int) -> dict[str, Any]:
    """One of the replicates by itself, from the files that the family has."""
    base, runs = files(folder, APART)
    name = f"m-{number}"
    chosen = ([p for p in paths if name in p.parts] for paths in (base, runs))
    return stage_forgetting(*read_tables(*chosen), OVERLAP, OPTIONS, seed=1).metrics()


def test_a_loss_in_all_replicates_is_seen_and_one_in_a_few_is_not(
    alike: dict[str, Any], apart: dict[str, Any]
):
    wanted = {"reference": "base model", "seed": "all"}
    seen = one(alike["transitions"], **wanted)
    assert (seen["seen"], seen["step"], seen["earliest"], seen["latest"]) == (True, 64, 64, 64)
    unseen = one(apart["transitions"], **wanted)
    assert not unseen["seen"]
    assert unseen["latest"] is None
    alone = one(apart["transitions"], reference="base model", seed="m-0:0")
    assert (alone["seen"], alone["step"]) == (True, 64)
    kinds = [row["stage"] for row in apart["stages"] if row["setting"] == "stages"]
    assert "actual" not in kinds


def test_intervals_hold_what_replicates_differ_by(alike: dict[str, Any], apart: dict[str, Any]):
    wanted = {"setting": "stages", "step": 64, "comparison": "base to restored"}
    narrow, wide = (one(found["tests"], **wanted) for found in (alike, apart))
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])
    assert wide["p"] > 0.05 > narrow["p"]


def test_the_page_says_with_how_many_replicates(
    tmp_path: Path, alike: dict[str, Any], apart: dict[str, Any]
):
    fake = make_study(items=30)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=100), 1, **fake).metrics()
    for metrics in (alike, apart):
        draw_figures(metrics, tmp_path / "figures", STAGE_FIGURES)
        page = build_report(
            knowledge, tmp_path, make_context(), (metrics, tmp_path / "figures", "links")
        )
        assert "3 replicates of the base model, which intervals cover" in page
        assert "t test of the mean change over 3 replicates" in page
    assert "training by training: step 64" in stages_part(alike, "x").runs[0].sentence


def test_replicates_have_as_many_seeds_each():
    rows = {
        label: rows_of(Cell("base", 0, 0), np.ones(ITEMS), 0) for label in ("a:0", "a:1", "b:0")
    }
    with pytest.raises(UserError, match="not tuned under as many seeds each"):
        StageTable("a run", {k: v[0] for k, v in rows.items()}, {k: v[1] for k, v in rows.items()})


def test_a_change_point_drawn_covers_the_planted_one():
    """Mean losses of 2 % and 20 %, with replicates apart by 3 %: a loss of 10 % begins at 1."""
    rng = np.random.default_rng(4)
    missed, whole = 0, 0
    for _ in range(100):
        losses = np.array([0.02, 0.20, 0.22])[:, None] + rng.normal(0, 0.03, (4, 3, 1))
        table = (rng.random((4, 3, 80)) < losses).astype(int)
        low, high = Resampler(rng, 200, 0.95, 4).first_step(table, 0.1)
        assert low is not None
        missed += low > 1 or (high is not None and high < 1)
        whole += low < 1 or high != 1
    assert missed <= 5
    assert whole >= 10, "replicates that differ leave the step open"

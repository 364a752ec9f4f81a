"""From tables of answers to numbers, figures and the page."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.config.config_files import GOOD, complaints
from tests.unit.report.html_tree import Tree
from tests.unit.studies.fake_answers import make_context, make_study
from tests.unit.studies.forgetting.followed_runs import (
    ITEMS,
    OPTIONS,
    OVERLAP,
    SEEDS,
    rows_of,
)
from tuneatlas.errors import UserError
from tuneatlas.plots import draw_figures
from tuneatlas.report import build_report
from tuneatlas.report.forgetting import control_text, stages_part
from tuneatlas.statistics.metrics import FAILED, HELD, UNDECIDED
from tuneatlas.statistics.power import multiple
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.fates import ACTUAL, FATES, NONE, PSEUDO
from tuneatlas.studies.forgetting.figures import STAGE_FIGURES
from tuneatlas.studies.forgetting.tables import Cell, StageTable, read_tables
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS, Row

STEPS = (4, 16, 64)


def table(cells: dict[Cell, float], base: np.ndarray, seed: int = 0) -> StageTable:
    """A run in which every cell forgets this share of what the base model knows."""
    answers: dict[int, list[Row]] = {}
    texts: dict[int, list[Row]] = {}
    for number in SEEDS:
        answers[number], texts[number] = [], []
        for cell, lost in cells.items():
            rng = np.random.default_rng([seed, number, cell.step, cell.restored])
            right = base & (rng.random(ITEMS) >= lost)
            for found, rows in zip((answers, texts), rows_of(cell, right, number), strict=True):
                found[number] += rows
    return StageTable("a run", answers, texts)


@pytest.fixture(scope="module")
def base_answers() -> np.ndarray:
    return np.random.default_rng(0).random(ITEMS) < 0.6


def study(base_answers: np.ndarray, *losses: float) -> dict[str, Any]:
    """Numbers of one run: all steps lose 40 % in tuning; ``losses`` remain when restored."""
    control = {Cell("base", 0, 0): 0.0, Cell("base", 0, 50): 0.0, Cell("base", 0, 100): 0.0}
    cells = {Cell("finetune", 3, 0): 0.1, Cell("finetune", 3, 100): 0.0}
    for step, lost in zip(STEPS, losses, strict=True):
        cells |= {Cell("stages", step, 0): 0.4, Cell("stages", step, 50): (0.4 + lost) / 2}
        cells |= {Cell("stages", step, 100): lost}
    runs = {("countries", "incompatible"): table(cells, base_answers)}
    found = stage_forgetting(table(control, base_answers), runs, OVERLAP, OPTIONS, seed=1)
    return found.metrics()


@pytest.fixture(scope="module")
def metrics(base_answers: np.ndarray) -> dict[str, Any]:
    return study(base_answers, 0.0, 0.0, 0.35)


def test_pseudo_turns_into_actual_forgetting(metrics: dict[str, Any]):
    stages = {row["step"]: row for row in metrics["stages"] if row["setting"] == "stages"}
    assert [stages[step]["stage"] for step in STEPS] == [PSEUDO, PSEUDO, ACTUAL]
    assert stages[64]["per_seed"] == [ACTUAL] * 3
    paper = next(row for row in metrics["stages"] if row["setting"] == "finetune")
    assert (paper["step"], paper["stage"]) in {(3, NONE), (3, PSEUDO)}
    for reference in ("base model", "restored base model"):
        whole = next(r for r in metrics["transitions"] if r["reference"] == reference)
        assert (whole["seen"], whole["step"], whole["lasts"]) == (True, 64, True)
        assert (whole["earliest"], whole["seeds"]) == (64, 3)
        # Three seeds do not tell for sure that a fourth would lose so much.
        assert whole["latest"] in (64, None)


def test_counts_and_intervals_of_fates_add_up(metrics: dict[str, Any]):
    for step in STEPS:
        cell = {r["fate"]: r for r in metrics["fates"] if r["step"] == step}
        assert set(cell) == set(FATES)
        assert np.sum([row["counts"] for row in cell.values()], axis=0).tolist() == [ITEMS] * 3
        assert sum(row["value"] for row in cell.values()) == pytest.approx(1, abs=1e-5)
        assert sum(row["known_value"] for row in cell.values()) == pytest.approx(1, abs=1e-5)
        assert all(row["low"] <= row["value"] <= row["high"] for row in cell.values())


def test_measures_have_n_seeds_and_intervals(metrics: dict[str, Any]):
    rows = {tuple(r[k] for k in ("group", "step", "restored", "measure")): r for r in
            metrics["measures"] if r["setting"] != "finetune"}  # fmt: skip
    base = rows["base", 0, 0, "accuracy"]
    assert (base["n"], base["seeds"]) == (ITEMS, 3)
    assert rows["incompatible", 64, 100, "accuracy"]["value"] < base["low"]
    bits = rows["incompatible", 4, 50, "heldout_bits"]
    assert bits["value"] == pytest.approx(102.5 / 100 / np.log(2), abs=1e-5)
    assert bits["low"] < bits["value"] < bits["high"]
    scopes = {measure for *_, measure in rows if measure.startswith("accuracy")}
    assert scopes == {"accuracy", "accuracy_homo", "accuracy_id", "accuracy_ood"}


def test_scopes_are_those_of_the_comparison(base_answers: np.ndarray):
    """Home questions of another domain are out of the domain only where they are asked for."""
    made = table({Cell("stages", 1, 0): 0.0}, base_answers)

    def sizes(*roles: str) -> dict[str, int]:
        return {name: int(chosen.sum()) for name, chosen in made.scopes("countries", roles)}

    both, related, home = sizes("home", "related"), sizes("related"), sizes("home")
    others = [n for n in range(ITEMS) if n % 2 == 0]
    assert both["accuracy_ood"] == len(others)
    assert related["accuracy_ood"] == sum(n % 3 == 0 for n in others)
    assert home["accuracy_ood"] == len(others) - related["accuracy_ood"]
    assert all(s["accuracy_homo"] == both["accuracy_homo"] for s in (related, home))


def test_the_control_is_quoted_with_its_noise(metrics: dict[str, Any]):
    accuracy = next(row for row in metrics["control"] if row["measure"] == "accuracy")
    assert accuracy["within_noise"]
    assert len(accuracy["per_seed"]) == 3
    assert control_text(metrics, "95%").endswith("within its noise.")
    for value, word in ((0.1, "underrated"), (-0.1, "artefact")):
        row = accuracy | {"value": value, "within_noise": False}
        assert word in control_text(metrics | {"control": [row]}, "95%")


@pytest.mark.parametrize(
    ("losses", "verdict", "words"),
    [
        ((0.0, 0.0, 0.35), HELD, "Actual forgetting from step 64 on, and at all later steps"),
        ((0.35, 0.35, 0.35), FAILED, "Actual forgetting from step 4 on"),
        ((0.0, 0.0, 0.0), UNDECIDED, "No transition seen"),
        ((0.0, 0.35, 0.0), HELD, "but not at all later steps"),
    ],
)
def test_the_finding_in_words(base_answers: np.ndarray, losses, verdict, words):
    part = stages_part(study(base_answers, *losses), "there")
    assert part.verdict == verdict
    assert words in part.runs[0].sentence
    if "Actual" in words:
        assert "(95% interval for this base model: " in part.runs[0].sentence
    assert json.dumps(part.metrics)  # no NaN, no arrays


def test_checks_stated_beforehand_decide_what_can_be_told(base_answers: np.ndarray):
    fine = study(base_answers, 0.0, 0.0, 0.35)
    assert [row["check"] for row in fine["checks"]] == [
        "base_above_floor",
        "base_below_ceiling",
        "restoration_keeps",
    ]
    assert all(row["passed"] for row in fine["checks"])
    failed = [row | {"passed": row["check"] != "restoration_keeps"} for row in fine["checks"]]
    run = stages_part(fine | {"checks": failed}, "there").runs[0]
    assert run.verdict == "not testable here"
    assert run.reason.startswith("Not testable here: restoration costs the base model itself")


def test_every_test_says_the_smallest_change_that_it_could_have_seen(base_answers: np.ndarray):
    """At the level of the first test of its family: as many as there are steps, and scopes."""
    found = study(base_answers, 0.0, 0.0, 0.35)
    single = next(r for r in found["tests"] if r["setting"] == "stages" and r["decidable"])
    steps = len({r["step"] for r in found["tests"] if r["setting"] == "stages"})
    ratio = single["decidable"] / single["standard_error"]
    assert ratio == pytest.approx(multiple(looks=steps), rel=1e-4)
    scoped = next(r for r in found["scoped_tests"] if r["setting"] == "stages" and r["decidable"])
    ratio = scoped["decidable"] / scoped["standard_error"]
    assert ratio == pytest.approx(multiple(looks=3 * steps), rel=1e-4)
    undecided = stages_part(study(base_answers, 0.0, 0.0, 0.01), "there").runs[0]
    assert re.match(r"Undecided: losses at one step under [\d.]+ points could", undecided.reason)


def test_figures_and_page(metrics: dict[str, Any], tmp_path: Path):
    drawn = draw_figures(metrics, tmp_path / "stages", STAGE_FIGURES)
    assert drawn == ["stage_curves", "restoration_curves", "question_flow"]
    for name in drawn:
        for suffix in ("svg", "png", "csv"):
            assert (tmp_path / f"stages/{name}.{suffix}").stat().st_size > 100
    fake = make_study(items=24)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=100), 1, **fake).metrics()
    forgetting = (metrics, tmp_path / "stages", "../stage_forgetting/mini")
    html = build_report(knowledge, tmp_path / "none", make_context(), forgetting)
    tree = Tree(html)
    ids = [attributes["id"] for _, attributes in tree.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert "forgetting" in ids
    first_screen = html[: html.index('class="study"')]
    assert "Actual forgetting from step 64 on" in first_screen
    assert "within its noise" in first_screen
    assert '"../stage_forgetting/mini/figures/stage_curves.csv"' in html
    assert len(tree.all("caption")) == len(tree.all("table"))
    without = build_report(knowledge, tmp_path / "none", make_context())
    assert "orgetting" not in re.sub(r"<style>.*?</style>", "", without, flags=re.DOTALL)


def test_tables_are_read_by_run_and_seed(base_answers: np.ndarray, tmp_path: Path):
    paths: dict[str, list[Path]] = {"base": [], "countries/incompatible": []}
    for folder, found in paths.items():
        setting = "base" if folder == "base" else "stages"
        for seed in SEEDS:
            for suffix, schema, rows in zip(
                ("answers", "texts"),
                (STAGE_ANSWERS, STAGE_TEXTS),
                rows_of(Cell(setting, 4, 0), base_answers, seed),
                strict=True,
            ):
                path = tmp_path / folder / f"{seed}.{suffix}.parquet"
                schema.write(path, rows)
                found.append(path)
    base, runs = read_tables(*paths.values())
    assert list(runs) == [("countries", "incompatible")]
    assert base.seeds == [0, 1, 2]
    assert runs["countries", "incompatible"].correct(Cell("stages", 4, 0)).shape == (3, ITEMS)


def test_other_questions_or_no_groups_are_refused(base_answers: np.ndarray):
    right = rows_of(Cell("base", 0, 0), base_answers, 0)
    fewer = rows_of(Cell("base", 0, 100), base_answers[1:], 0)
    with pytest.raises(UserError, match="restored 100%, was measured on other questions"):
        StageTable("x", {0: [*right[0], *fewer[0]]}, {0: [*right[1], *fewer[1]]})
    whole = StageTable("x", {0: right[0]}, {0: right[1]})
    with pytest.raises(UserError, match="name at least one group"):
        stage_forgetting(whole, {}, OVERLAP, OPTIONS, 1)


FOLLOWED = f"{GOOD}stage_forgetting: {{groups: [incompatible]}}\nevaluate_stages: {{window: 512}}\n"
SHORT = "row_length: 512"


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("steps: [1, 2, 7]", "bad.yaml:19: finetune_stages.steps: 7 are never reached: 3 epochs"),
        ("steps: [1, 2, 2]", "bad.yaml:19: finetune_stages.steps: steps must rise"),
        ("steps: []", "bad.yaml:19: finetune_stages.steps: should have at least 1 entry"),
        ("steps: [0, 1]", "bad.yaml:19: finetune_stages.steps[0]: should be greater"),
        ("steps: [1], chat_template: no", "bad.yaml:19: finetune_stages.chat_template: no templ"),
    ],
)
def test_steps_never_reached_are_refused_before_the_first_job(tmp_path, stages, expected):
    text = f"{FOLLOWED}finetune_stages: {{{SHORT}, {stages}}}\nrestore_stages: {{{SHORT}}}\n"
    (found,) = complaints(tmp_path, text)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[incompatible]", "[incompatble]", "stage_forgetting.groups: no group 'incompatble'; "),
        ("[incompatible]", "[incompatible], domains: [elements]", "stage_forgetting.domains: 'ele"),
        ("window: 512", "window: 4096", "evaluate_stages.window: 4096 is more than models.small."),
        ("source: scratch", "source: path\n    path: here", "prepare_restoration.corpus: missing"),
    ],
)
def test_a_study_that_cannot_work_is_refused(tmp_path, old, new, expected):
    text = FOLLOWED.replace(old, new)
    if "path: here" in new:
        text = re.sub(r"    (heads|hidden_size|max_length).*\n", "", text)
    text += f"finetune_stages: {{{SHORT}, steps: [1]}}\nrestore_stages: {{{SHORT}}}\n"
    (found,) = complaints(tmp_path, text)
    assert expected in found

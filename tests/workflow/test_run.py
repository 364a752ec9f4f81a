"""Real runs of the whole workflow at its smallest size, in copies of the project.

One file, so that one process makes the run that all of them begin with.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pandas.testing import assert_frame_equal

from tests.examples import ROOT
from tests.unit.config.described import undescribed
from tests.workflow import brought_back
from tests.workflow.compare_results import contents, differences
from tests.workflow.finished_run import CONFIG, copy_project, environment, run
from tests.workflow.number_checks import given_again, links_of, numbers_of
from tests.workflow.peer_scores import compare
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.audit.terms import Number

SYNTAX = "config/syntax-smoke.yaml"
# Of the numbers of a report, so many are made again from their items.
DRAWN = 50


def test_the_whole_workflow_ends_in_a_report(finished: Path):
    page = (finished / "results/report/index.html").read_text(encoding="utf-8")
    assert "claim" in page and "<svg" in page
    assert "http" not in "".join(part.split('"')[0] for part in page.split('src="')[1:])


def test_a_second_run_rebuilds_nothing(finished: Path):
    done = run(finished)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_run_in_another_folder_gives_the_same_bytes(finished: Path, tmp_path: Path):
    other = copy_project(tmp_path / "elsewhere")
    done = run(other)
    assert done.returncode == 0, done.stdout + done.stderr
    assert differences(finished / "results", other / "results") == []
    assert len(contents(other / "results")) > 50


def test_scores_equal_lm_evaluation_harness(finished: Path):
    """Of every option of every question that the base model was probed on."""
    results = finished / "results"
    lines = compare(
        results / "prepare_base/mini",
        results / "probe_knowledge/mini",
        results / "prepare_questions",
        ROOT / "config/templates/questions/cloze.yaml",
    )
    assert len(lines) == 2


def test_nothing_but_outputs_and_records_is_left(finished: Path):
    """No half-written file, no checkpoint, no work folder once the outputs stand."""
    hidden = [p for p in (finished / "results").rglob(".*") if p.name != ".snakemake_timestamp"]
    assert hidden == []


def test_every_file_table_and_column_is_in_the_docs(finished: Path):
    """And every table of metrics stands as CSV and LaTeX, every figure as PDF."""
    assert list(undescribed(finished / "results")) == []


def test_a_config_mistake_is_one_message_before_the_first_job(finished: Path, tmp_path: Path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        f"include: {finished / CONFIG}\nfinetune:\n  epochz: 3\nprobe_knowledge:\n  shots: many\n",
        encoding="utf-8",
    )
    done = run(finished, config=str(bad))
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{bad}:3: finetune.epochz: unknown key; did you mean 'epochs'?" in shown
    assert f"{bad}:5: probe_knowledge.shots" in shown
    assert "Traceback" not in shown


def test_a_torn_weight_file_is_named(finished: Path, tmp_path: Path):
    project = tmp_path / "torn"
    shutil.copytree(finished, project, symlinks=True)
    weights = project / "results/prepare_base/mini/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = run(project, "--forcerun", "probe_knowledge", "--until", "probe_knowledge")
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert "results/prepare_base/mini/model.safetensors is truncated or damaged" in shown
    assert "Traceback (most recent call last)" not in shown


@pytest.fixture(scope="module")
def results(finished: Path) -> Results:
    return read_results(finished / "results", finished)


@pytest.fixture(scope="module")
def found(results: Results) -> dict[str, Number]:
    return numbers_of(results)


def test_random_numbers_are_given_again_by_their_items(results: Results, found: dict[str, Number]):
    given_again(results, list(found.values()), DRAWN)


def test_every_link_of_the_report_leads_to_a_number_or_an_item(results: Results):
    links = links_of(results, "mini.html")
    assert len(links["of"]) > 50 and links["item"]


def test_the_page_is_whole_and_asks_for_nothing_from_a_network(finished: Path):
    folder = finished / "results" / "audit"
    for name in ("index.html", "app.js", "base.css", "data/overview.js", "data/numbers.js"):
        assert (folder / name).is_file(), name
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), folder / "index.html"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text and "fetch(" not in text, path.name


@pytest.fixture(scope="module")
def brought(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the same experiment with models of its own as checkpoints tuned elsewhere."""
    folder = tmp_path_factory.mktemp("brought")
    shutil.copytree(finished, folder / "project", symlinks=True)
    config = brought_back.foreign(folder / "project", folder / "given")
    done = run(folder / "project", config=str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "project/results"


def test_a_model_of_ours_brought_back_answers_and_is_restored_as_inside(brought: Path):
    """To the last bit."""
    pairs = [brought_back.answered(brought)]
    pairs += [brought_back.measured(brought, kind) for kind in ("answers", "texts")]
    for inside, outside in pairs:
        assert len(inside) > 30
        assert_frame_equal(inside, outside[inside.columns], check_exact=True)
    for name, (inside, outside) in brought_back.restored_weights(brought).items():
        assert inside == outside, name


def test_the_numbers_of_a_model_brought_back_are_those_of_the_inside_path(brought: Path):
    for table in ("fates", "tests", "stages", "measures", "transitions"):
        inside, outside = brought_back.told(brought, table)
        assert len(inside) and len(inside.columns)
        assert_frame_equal(inside, outside, check_exact=True, obj=table)
    # Rounded to six places before they are averaged.
    assert_frame_equal(*brought_back.accuracies(brought), check_exact=False, atol=2e-6)


@pytest.mark.parametrize(("step", "end"), brought_back.MEASURED)
def test_the_atlas_measures_a_model_brought_back_as_the_one_tuned_here(
    brought: Path, step: str, end: str
):
    """To the last bit; where a step draws, it draws by its own name."""
    for inside, outside in brought_back.mapped(brought, step, end):
        assert len(inside)
        assert_frame_equal(inside, outside, check_exact=True)


def test_numbers_of_the_atlas_of_a_model_brought_back_are_given_again(brought: Path):
    results = read_results(brought, brought.parent)
    found = [n for a, n in numbers_of(results).items() if "/given/" in a and n.value is not None]
    tables = {"battery", "distances", "inside", "interpolation", "relearning", "similarity"}
    assert {n.address.split("/")[0] for n in found} >= tables
    given_again(results, found, len(found))
    assert any("/given/" in name for name in links_of(results, "index.html")["of"])


@pytest.fixture(scope="module")
def whole(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TUNEATLAS_SYNTAX_RUN names one that is there, to save the minutes."""
    if given := os.environ.get("TUNEATLAS_SYNTAX_RUN"):
        return Path(given)
    project = tmp_path_factory.mktemp("syntax") / "project"
    shutil.copytree(finished, project, symlinks=True)
    done = run(project, config=SYNTAX)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def due(project: Path, config: Path) -> set[str]:
    """Step and wildcards of the jobs that a run would execute now."""
    done = subprocess.run(
        [sys.executable, "workflow/plan.py", config],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    jobs = [job for job in json.loads(done.stdout) if job["due"]]
    return {" ".join([job["step"], *map(str, job["wildcards"].values())]) for job in jobs}


def test_the_report_has_the_syntax_study(whole: Path):
    page = (whole / "results/report/index.html").read_text(encoding="utf-8")
    assert "What do trees teach?" in page
    assert page.count('<svg class="tree"') >= 6


def test_numbers_of_the_syntax_study_are_given_again_and_its_links_lead_to_them(whole: Path):
    results = read_results(whole / "results", whole)
    tables = ("paraphrase_scores", "paraphrase_differences", "tasks")
    found = [n for a, n in numbers_of(results).items() if a.split("/")[0] in tables]
    assert {n.address.split("/")[0] for n in found} == set(tables)
    given_again(results, found, len(found))
    page = "index.html" if not (whole / "results/report/mini.html").exists() else "mini.html"
    links = links_of(results, page)["of"]
    assert set(tables) <= {name.split("/")[0] for name in links}


def test_every_test_pair_has_its_scores_and_its_tree_or_reason(whole: Path):
    from tuneatlas.studies.syntax.tables import CANDIDATES, PARAPHRASES, SCORES

    results = whole / "results"
    pairs = PARAPHRASES.read(results / "prepare_paraphrases/paraphrases.parquet")
    asked = {row["id"] for row in pairs if row["split"] == "test"}
    found = sorted((results / "score_paraphrases").rglob("scores.parquet"))
    assert len(found) == 2
    for path in found:
        assert {row["id"] for row in SCORES.read(path)} - {"corpus"} == asked
        candidates = CANDIDATES.read(path.with_name("candidates.parquet"))
        assert {row["id"] for row in candidates} == asked
        assert all(row["tree"] or row["reason"] for row in candidates)


def test_a_second_run_with_the_syntax_study_rebuilds_nothing(whole: Path):
    assert due(whole, Path(SYNTAX)) == set()


def test_masking_a_task_is_one_line_and_runs_what_depends_on_it(whole: Path, tmp_path: Path):
    mask = tmp_path / "mask.yaml"
    change = {"build_tasks": {"syntax_tasks": ["tree_pruning"]}}
    mask.write_text(yaml.safe_dump({"include": str(whole / SYNTAX), **change}))
    tuned = "mini both aesop_nooutputtree 100 0"
    assert due(whole, mask) == {
        "build_tasks mini syntax 1-of-2",
        "build_tasks mini syntax 2-of-2",
        "pretrain_syntax mini both",
        "evaluate_tasks mini both",
        *(f"{s} {tuned}" for s in ("finetune_paraphrase", "generate_paraphrases")),
        f"score_paraphrases {tuned}",
        "compare_paraphrases mini",
        "report mini",
        "index",
        "audit",
    }

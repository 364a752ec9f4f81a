"""The syntax study at its smallest size, on top of a finished run of the other two."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from finished_run import environment, run
from number_checks import given_again, links_of, numbers_of

from tuneatlas.audit.lineage import read_results

CONFIG = "config/syntax-smoke.yaml"


@pytest.fixture(scope="module")
def whole(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TUNEATLAS_SYNTAX_RUN names one that is there, to save the minutes."""
    if given := os.environ.get("TUNEATLAS_SYNTAX_RUN"):
        return Path(given)
    project = tmp_path_factory.mktemp("syntax") / "project"
    shutil.copytree(finished, project, symlinks=True)
    done = run(project, config=CONFIG)
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


def test_the_report_has_the_study(whole: Path):
    page = (whole / "results/report/index.html").read_text(encoding="utf-8")
    assert "What do trees teach?" in page
    assert page.count('<svg class="tree"') >= 6


def test_its_numbers_are_given_again_and_its_links_lead_to_them(whole: Path):
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


def test_a_second_run_rebuilds_nothing(whole: Path):
    assert due(whole, Path(CONFIG)) == set()


def test_masking_a_task_is_one_line_and_runs_what_depends_on_it(whole: Path, tmp_path: Path):
    mask = tmp_path / "mask.yaml"
    change = {"build_tasks": {"syntax_tasks": ["tree_pruning"]}}
    mask.write_text(yaml.safe_dump({"include": str(whole / CONFIG), **change}))
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

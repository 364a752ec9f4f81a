"""The papers' experiments as their authors ran them, at the size of a test, up to the report."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.examples import ROOT
from tests.workflow.authors_runs import REPLACED, make_run
from tests.workflow.finished_run import copy_project, run
from tests.workflow.number_checks import given_again, numbers_of
from tuneatlas.audit.lineage import read_results
from tuneatlas.config.load import load_config, resolve

# How many and how large, on what, and which models: all else is the papers'.
SIZES = {
    "seeds", "ratios", "tune", "draws", "steps", "questions", "tokens", "heldout_bytes",
    "conversations", "sentences", "shards", "heldout", "max_new_tokens", "formats", "starts",
    "shares", "epochs", "batch", "batch_used", "rows_per_device", "processes", "deepspeed",
    "dev", "train", "test", "related_test",
}  # fmt: skip
DIFFER = ("models", "paraphrasers", "name")


def leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("study", REPLACED)
def test_only_sizes_and_models_are_replaced(study: str):
    replaced = set(leaves(REPLACED[study][1]))
    assert {path[-1] for path in replaced if path[0] not in DIFFER} <= SIZES


@pytest.mark.parametrize("study", REPLACED)
def test_what_is_replaced_is_there_to_be_replaced(study: str, tmp_path: Path):
    """The config loads, and has everything else from the paper's."""
    path = make_run(copy_project(tmp_path / "project"), study, data=False)
    ours = resolve(load_config(path, root=tmp_path / "project"))
    assert list(ours["paraphrasers" if study == "s3" else "models"]) == ["tiny"]
    if study == "s3":
        theirs = resolve(load_config(ROOT / REPLACED[study][0], root=ROOT))
        kept = set(leaves(theirs["finetune_paraphrase"])) - {
            path[1:] for path in leaves(REPLACED[study][1]) if path[0] == "finetune_paraphrase"
        }
        for path in kept:
            assert ours["finetune_paraphrase"][path[0]] == theirs["finetune_paraphrase"][path[0]]


def finish(study: str, project: Path) -> str:
    """Run a study to its end in a copy of the project; the text of its report."""
    done = run(project, config=make_run(project, study))
    assert done.returncode == 0, done.stdout + done.stderr
    again = run(project, "--dry-run", config=str(project / f"config/{study}-authors-small.yaml"))
    assert "Nothing to be done" in again.stdout + again.stderr
    page = next((project / "results/report").glob("[!i]*.html"), None)
    page = page or project / "results/report/index.html"
    return " ".join(page.read_text(encoding="utf-8").split())


@pytest.mark.slow
def test_ren_and_zhang_as_the_authors_ran_them(tmp_path: Path):
    project = copy_project(tmp_path / "project")
    page = finish("s2", project)
    assert "Learning or self-aligning?" in page and "Forgotten, or only shifted?" in page
    # Two domains share most of their questions.
    assert "History and jurisprudence share most of their questions" in page
    assert "in the same or in another domain: these are resampled together" in page
    results = read_results(project / "results", project)
    given_again(results, list(numbers_of(results).values()), 100)


@pytest.mark.slow
def test_ren_as_the_authors_ran_it(tmp_path: Path):
    project = copy_project(tmp_path / "project")
    page = finish("s1", project)
    assert "Learning or self-aligning?" in page
    results = read_results(project / "results", project)
    given_again(results, list(numbers_of(results).values()), 100)


@pytest.mark.slow
def test_liu_as_the_authors_ran_it(finished: Path, tmp_path: Path):
    """The other studies, which its config leaves as the default has them, are there already."""
    project = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    page = finish("s3", project)
    assert "What do trees teach?" in page
    assert "The epoch of each model was chosen by its BLEU-4 on the test pairs" in page
    for kind in REPLACED["s3"][1]["finetune_paraphrase"]["formats"]:
        assert f"format {kind}" in page
    results = read_results(project / "results", project)
    given_again(results, list(numbers_of(results).values()), 100)

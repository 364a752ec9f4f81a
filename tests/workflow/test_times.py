"""What is made of times, by the Snakemake that is pinned: they say when, not whether."""

import os
import subprocess
import time
from pathlib import Path

from tests.examples import ROOT
from tests.unit.small_results import make_results
from tests.workflow.finished_run import SNAKEMAKE
from tuneatlas.tables import ANSWERS

HEAD = """
from pathlib import Path
from snakemake.exceptions import WorkflowError
from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError
ROOT = Path()
PREFIX = ""
is_own = lambda job: True
step_of = lambda job: job.rule.name
"""
TIMES = f'include: "{ROOT}/workflow/rules/times.smk"\n'
COPY = """
rule use:
    input: "results/copy"
    output: "results/use.txt"
    shell: "cp {input}/own.txt {output}"

rule copy:
    input: "own.txt"
    output: directory("results/copy")
    shell: "mkdir -p {output} && cp {input} {output}"
"""
LABEL = """
rule label:
    input: "results/probe_knowledge/mini/numbers.parquet"
    output: "results/label_knowledge/mini/numbers.parquet"
    shell: "false"
"""
STANDS = "Nothing to be done"


def run(project: Path, *words: str) -> str:
    command = [SNAKEMAKE, "--cores", "1", "--rerun-triggers", "mtime", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_outputs_of_an_input_dated_ahead_stand(tmp_path: Path):
    """The engine itself fails on them, or makes them again and again."""
    (tmp_path / "Snakefile").write_text(HEAD + TIMES + COPY)
    (tmp_path / "own.txt").touch()
    os.utime(tmp_path / "own.txt", (time.time() + 9999,) * 2)
    said = run(tmp_path)
    assert (tmp_path / "results/use.txt").is_file(), said
    assert STANDS in run(tmp_path, "--dry-run")


def test_a_touched_input_makes_nothing_due_and_an_edited_one_does(tmp_path: Path):
    results = make_results(tmp_path, ROOT)
    (tmp_path / "Snakefile").write_text(HEAD + TIMES + LABEL)
    answers = results / "probe_knowledge/mini/numbers.parquet"
    labels = results / "label_knowledge/mini/numbers.parquet"
    os.utime(answers)
    before = labels.stat().st_mtime_ns
    assert STANDS in run(tmp_path, "--dry-run")
    assert labels.stat().st_mtime_ns == before, "a dry-run wrote something"
    ANSWERS.write(answers, ANSWERS.read(answers)[1:])
    assert "Updated input files" in run(tmp_path, "--dry-run")


def test_another_engine_is_refused_in_words(tmp_path: Path):
    changed = "import snakemake.workflow\nsnakemake.workflow.DAG = type('DAG', (), {})\n"
    (tmp_path / "Snakefile").write_text(HEAD + changed + TIMES + COPY)
    assert "install the version of envs/lock.txt" in run(tmp_path, "--dry-run")

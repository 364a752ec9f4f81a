"""How often the engine looks what may start, in a run of real Snakemake."""

import subprocess
from pathlib import Path

from tests.examples import ROOT
from tests.workflow.finished_run import SNAKEMAKE

QUICK, SECONDS = 20, 4
SNAKEFILE = f"""
from pathlib import Path
import snakemake.workflow
from snakemake.exceptions import WorkflowError
from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError
ROOT, PREFIX, IS_MODULE = Path(), "", False
is_own = lambda job: True
step_of = lambda job: job.rule.name
include: "{ROOT}/workflow/rules/times.smk"
include: "{ROOT}/workflow/rules/rounds.smk"

class Counted(snakemake.workflow.JobScheduler):
    def job_selector(self, jobs):
        with open("rounds", "a") as rounds:
            rounds.write("round\\n")
        return super().job_selector(jobs)

snakemake.workflow.JobScheduler = Counted

rule all:
    input: "long.a", "long.b", expand("quick.{{n}}", n=range({QUICK}))
    localrule: True
rule quick:
    output: "quick.{{n}}"
    priority: 1
    shell: "touch {{output}}"
rule long:
    output: "long.{{n}}"
    threads: 2
    shell: "sleep {SECONDS}; touch {{output}}"
"""


def test_what_may_start_is_looked_at_once_a_second_and_once_a_job(tmp_path: Path):
    """While a job is long, one waits, and many are done: they order no rounds any more."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    command = [SNAKEMAKE, "--cores", "2", "--scheduler", "greedy"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    rounds = (tmp_path / "rounds").read_text().count("round")
    # One for each job that starts or ends, and one a second; as the engine has it, one a second
    # for each job so far.
    assert QUICK / 2 < rounds < 2 * (QUICK + 2) + 4 * SECONDS

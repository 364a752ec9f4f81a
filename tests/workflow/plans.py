"""The jobs of experiments, planned by the workflow in this process: that it is loaded once."""

import gc
import json
import os
import runpy
from functools import cache
from pathlib import Path

import snakemake.api

from tests.examples import ROOT
from tuneatlas.engine.jobs import Job

PLAN = runpy.run_path(str(ROOT / "workflow/plan.py"))["plan"]


def planned(root: Path, configs: list[Path]) -> list[Job]:
    """What ``read_plan`` says, which asks a process of its own."""
    return list(_planned(root, tuple(configs)))


@cache
def _planned(root: Path, configs: tuple[Path, ...]) -> tuple[Job, ...]:
    here, own = Path.cwd(), ("DAG", "JobScheduler")
    engine = {name: getattr(snakemake.workflow, name) for name in own}
    scripts = snakemake.dag.ScriptProcessor
    os.chdir(root)
    try:
        rows = json.loads(json.dumps(PLAN([path.absolute() for path in configs]), default=str))
    finally:
        # A plan that stays for a run's whole time is out of the collector's sight; these go.
        gc.unfreeze()
        os.chdir(here)
        # The workflow puts its own in their place, which know the results of one folder.
        vars(snakemake.workflow).update(engine)
        snakemake.dag.ScriptProcessor = scripts
    paths = ("inputs", "outputs")
    return tuple(Job(**{**row, **{name: tuple(row[name]) for name in paths}}) for row in rows)

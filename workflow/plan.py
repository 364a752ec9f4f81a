"""Print every job that an experiment consists of, as JSON.

    python workflow/plan.py CONFIG ... [--directory FOLDER]

Nothing is run. `tuneatlas audit` and `tuneatlas why` compare this plan with the records of
what was done.
"""

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    RerunTrigger,
    ResourceSettings,
)

from tuneatlas.engine.jobs import described

PROFILE = Path("profiles/default/config.yaml")


def plan(configs: list[Path], folder: Path | None = None) -> list[dict]:
    """The jobs behind the default target; ``due`` are those that a run would execute now."""
    triggers = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["rerun-triggers"]
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=configs),
            snakefile=Path("Snakefile").absolute(),
            workdir=folder,
        )
        dag = workflow.dag(DAGSettings(rerun_triggers=RerunTrigger.parse_choices_set(triggers)))
        with contextlib.redirect_stdout(io.StringIO()):
            dag.summary()
        jobs = workflow._workflow.dag
        return [
            {
                **described(job, job.rule.name),
                "due": jobs.needrun(job),
                "resources": {k: v for k, v in job.resources.items() if isinstance(v, int | str)},
            }
            for job in jobs.jobs
            if job.output
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("configs", nargs="*", type=Path)
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args()
    json.dump(plan(given.configs, given.directory), sys.stdout, default=str)

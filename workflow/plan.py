"""Print every job that an experiment consists of, as JSON: python workflow/plan.py CONFIG ...

Nothing is run. `tuneatlas audit` and `tuneatlas why` compare this plan with the records of
what was done.
"""

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


def plan(configs: list[Path]) -> list[dict]:
    """The jobs behind the default target; ``due`` are those that a run would execute now."""
    triggers = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["rerun-triggers"]
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=configs),
            snakefile=Path("Snakefile"),
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
    json.dump(plan([Path(name) for name in sys.argv[1:]]), sys.stdout, default=str)

from pathlib import Path

from snakemake.exceptions import WorkflowError

from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError

# The experiment is validated whole before anything is planned; see docs/config.md.
try:
    experiment = tuneatlas.load(
        workflow.config_settings.configfiles, workflow.config_settings.config
    )
    config = tuneatlas.resolve(experiment)
except UserError as error:
    raise WorkflowError(str(error)) from None

MODELS = list(config["models"])
DOMAINS = list(config["domains"])
TUNED = experiment.tuned_domains
GROUPS = experiment.groups
SEEDS = config["seeds"]


wildcard_constraints:
    package="|".join(tuneatlas.packages()),
    model="|".join(MODELS),
    domain="|".join(DOMAINS),
    group="|".join(GROUPS),
    seed="|".join(map(str, SEEDS)),


def code(step):
    """What a step's code is: a digest of its script, the modules and the libraries it reaches."""
    return tuneatlas.code_digest(Path(workflow.basedir) / f"workflow/scripts/{step}.py")


def template(kind, step):
    """The template file that a step is configured to use."""
    folder = "questions" if kind == "question" else kind
    return f"config/templates/{folder}/{config[step][f'{kind}_template']}.yaml"

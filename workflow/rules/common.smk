import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError

# What comes with the workflow lies beside its Snakefile; what the user names and what is made, in
# the folder that it works in, which `--directory` names.
BESIDE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]

# Of this process and of the steps that it starts: the same numbers on every processor.
tuneatlas.hold_instructions()

# The experiment is validated whole before anything is planned; see docs/config.md.
try:
    HOME = tuneatlas.home_of(BESIDE, Path(workflow.main_snakefile))
    CONFIG_FILES = workflow.config_settings.configfiles or [HOME / tuneatlas.DEFAULT_CONFIG]
    if workflow.is_main_process:
        tuneatlas.check_interpreter(sys.executable)
        tuneatlas.check_folder(Path())
        if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
            tuneatlas.check_image(HOME / tuneatlas.IMAGE)
    experiment = tuneatlas.load(CONFIG_FILES, workflow.config_settings.config, HOME)
    if workflow.is_main_process:
        tuneatlas.preflight(experiment, Path(), "structure")
except UserError as error:
    raise WorkflowError(str(error)) from None


# The engine takes no image by a path with blanks; where one is asked for, `check_image` says so.
if not re.search(r"\s", str(HOME)):

    container: str(HOME / tuneatlas.IMAGE)


# Rules name only what changes results; a step reads its operational keys past them.
SETTINGS = tuneatlas.resolve(experiment)
SCIENCE, operations = tuneatlas.split(SETTINGS)
config = SCIENCE | {"operations": operations}
MODELS = list(config["models"])
PARAPHRASERS = list(config["paraphrasers"])
DOMAINS = list(config["domains"])
TUNED = experiment.tuned_domains
GROUPS = experiment.groups
SEEDS = config["seeds"]


onstart:
    # Not in a dry-run: a plan needs neither data nor access to models, and writes nothing.
    try:
        tuneatlas.settle(STANDING)
        needed = {job.rule.name for job in workflow.dag.needrun_jobs()}
        here = workflow.local_exec
        tuneatlas.preflight(experiment, Path(), "data", here=here, due=needed)
        if not workflow.local_exec:
            due = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
            site = tuneatlas.site_options(workflow.executor_settings)
            tuneatlas.check_cluster(map(request, due), Path(), site)
    except UserError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    package="|".join(map(re.escape, tuneatlas.packages(config))),
    model="|".join(MODELS),
    domain="|".join(DOMAINS),
    group="|".join(GROUPS),


def code(step):
    """What a step's code is: a digest of its script, the modules and the libraries it reaches."""
    return tuneatlas.code_digest(BESIDE / f"workflow/scripts/{step}.py")


def template(kind, step):
    """The template file that a step is configured to use."""
    folder = "questions" if kind == "question" else kind
    name = f"{config[step][f'{kind}_template']}.yaml"
    return str(HOME / "config" / "templates" / folder / name)


def own(paths):
    """The user's own files that are there; a run does not start if one is missing."""
    return [path for path in paths if path and Path(path).exists()]


def corpus(model, path):
    """A file of the corpus, for models that the workflow pre-trains on it."""
    return [path] if tuneatlas.needs_corpus(config, model) else []


def fetched(package):
    """The folder of a fetched package."""
    return expand(rules.fetch_source.output.folder, package=package)[0]


def request(job):
    """What a job asks of the cluster."""
    own = tuneatlas.operations_of(operations, job.rule.name, job.wildcards)
    options = tuneatlas.joined(job.params.get("options") or {}, own)
    return tuneatlas.Request(job.rule.name, dict(job.resources.items()), options)

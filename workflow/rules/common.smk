import os
import re
import sys

# Of this process and of the steps that it starts: the same numbers on every processor.
tuneatlas.hold_instructions()

# The experiment is validated whole before anything is planned; see docs/config.md.
try:
    STARTED_WITH = workflow.config_settings.configfiles
    if not (IS_MODULE or STARTED_WITH):
        STARTED_WITH = [HOME / tuneatlas.DEFAULT_CONFIG]
    if workflow.is_main_process:
        tuneatlas.check_interpreter(sys.executable)
        tuneatlas.check_folder(Path())
        if workflow.storage_settings.default_storage_provider:
            raise UserError(tuneatlas.NOT_IN_STORE)
        if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
            tuneatlas.check_image(HOME / tuneatlas.IMAGE)
            given = workflow.deployment_settings.apptainer_args
            workflow.deployment_settings.apptainer_args = tuneatlas.bound(given, HOME)
    if IS_MODULE:
        # Steered by what it is given, not by what its main workflow was started with.
        experiment = tuneatlas.load_given(config, f"config of module {__name__}", HOME)
    else:
        experiment = tuneatlas.load_started(
            STARTED_WITH, workflow.config_settings.config, HOME, str(HOME) if IS_RUN else ""
        )
    if workflow.is_main_process:
        tuneatlas.preflight(experiment, ROOT, "structure")
except UserError as error:
    raise WorkflowError(str(error)) from None


# The engine takes no image by a path with blanks; where one is asked for, `check_image` says so.
if not re.search(r"\s", str(HOME)):

    container: str(HOME / tuneatlas.IMAGE)


# Rules name only what changes results; a step reads its operational keys past them.
SETTINGS = tuneatlas.resolve(experiment)
SCIENCE, operations = tuneatlas.split(SETTINGS)
config = SCIENCE | {"operations": operations, "prefix": PREFIX}
MODELS = list(config["models"])
# What is told of, and the models that it is made of: replicates of one, or one alone.
MEMBERS = tuneatlas.members(config["models"])
# A replicate by itself too, where one is asked for by name.
TOLD = "|".join({**MEMBERS, **config["models"]})
PARAPHRASERS = list(config["paraphrasers"])
# The same of encoder-decoders.
REWRITERS = tuneatlas.members(config["paraphrasers"])
DOMAINS = list(config["domains"])
TUNED = experiment.tuned_domains
GROUPS = experiment.groups
SEEDS = config["seeds"]


def one_of(names):
    """What a wildcard may be; no rule is left without any, so that there is always a word."""
    return "|".join(sorted(names)) or "none"


wildcard_constraints:
    package="|".join(map(re.escape, tuneatlas.all_packages(config))),
    model="|".join(MODELS),
    domain="|".join(DOMAINS),
    group="|".join([*GROUPS, *config["treatments"]]),


tuneatlas.recall_code(ROOT)


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
    there = [path for path in paths if path and Path(ROOT, path).exists()]
    # `local` keeps the engine from giving a prefix to what has it.
    return [local(os.path.normpath(ROOT / path)) for path in there] if PREFIX else there


def replicates_of(w):
    """The models that are told of as one."""
    return MEMBERS.get(w.model, [w.model])


def of_members(path, **wildcards):
    """What all replicates of a model have at ``path``, and a model that has none alone."""
    return lambda w: expand(path, model=replicates_of(w), **wildcards)


def corpus(model, path):
    """A file of the corpus, for models that the workflow pre-trains on it."""
    return [path] if tuneatlas.needs_corpus(config, model) else []


def fetched(package):
    """The folder of a fetched package."""
    return expand(rules.fetch_source.output.folder, package=package)[0]

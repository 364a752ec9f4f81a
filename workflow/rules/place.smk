# Where the workflow lies, and where it works: alone, or as a module of another workflow, which may
# rename its rules and give it a folder of its own (`prefix`).
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError

# What comes with the workflow lies beside its Snakefile; what the user names and what is made, in
# the folder that it works in, which `--directory` names.
BESIDE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
IS_MODULE = not workflow.modifier.is_main_snakefile()
# The Snakefile of the workflow that uses this one.
MAIN = Path(workflow.main_snakefile) if IS_MODULE else None


def started():
    """The Snakefile that was started, or that a module names."""
    if not IS_MODULE:
        return Path(workflow.main_snakefile)
    files = [Path(str(file)) for file in workflow.included_stack]
    others = [file for file in files if file not in tuneatlas.parts(BESIDE)]
    return others[-1].parent / str(workflow.modifier.base_snakefile)


def moved(modifier):
    """Whether a module, or one that it is in, moves single folders to other places."""
    return modifier and (modifier.modifies_prefixes or moved(modifier.inner_modifier))


try:
    PREFIX = workflow.modifier.modify_path("results").removesuffix("results")
    ROOT = Path(PREFIX)
    HOME = tuneatlas.home_of(BESIDE, started(), PREFIX)
    # In a run folder of the project, paths of a config are from the project; else, from there.
    IS_RUN = not IS_MODULE and tuneatlas.is_run_folder(Path(), BESIDE)
    if moved(workflow.modifier.path_modifier):
        raise UserError(tuneatlas.MOVED)
except UserError as error:
    raise WorkflowError(str(error)) from None

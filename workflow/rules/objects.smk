# What the config names in an object store is brought before it is looked at, by the engine's storage
# plugin, with its settings; a dry-run goes by what is here.
import importlib.util

import snakemake.workflow
from snakemake.logging import logger


def bring_objects():
    """Bring what is not here yet, or has changed in the store."""
    wanted = tuneatlas.outermost(tuneatlas.objects_of(experiment))
    if wanted and not importlib.util.find_spec("snakemake_storage_plugin_s3"):
        raise UserError(tuneatlas.no_plugin(wanted[0]))
    for found in wanted:
        stored = workflow.storage_registry(found.address).flags["storage_object"]
        if tuneatlas.bring(stored, ROOT / found.path):
            logger.info(f"{found.address} is brought to {ROOT / found.path}.")


class Bringing(snakemake.workflow.DAG):
    """Brings objects before it asks for the inputs of any job, where jobs are to run."""

    async def init(self, progress=False):
        runs = self.workflow.executor_plugin and not (self.workflow.dryrun or self.workflow.touch)
        if runs and self.workflow.is_main_process:
            try:
                bring_objects()
            except UserError as error:
                raise WorkflowError(str(error)) from None
        await super().init(progress)


snakemake.workflow.DAG = Bringing

# What the engine makes of times. They say when, not whether, a file changed.
import snakemake.workflow
from snakemake.dag import DAG
from snakemake_interface_storage_plugins.io import Mtime

try:
    STANDING = tuneatlas.standing(Path("results")) if workflow.is_main_process else {}
except UserError as error:
    raise WorkflowError(str(error)) from None


class ByContent(DAG):
    """Jobs whose files were touched, copied or dated ahead, but hold what they held, stand."""

    async def update_needrun(self, create_inventory=False):
        if create_inventory:
            known = {str(path): Mtime(local=at / 1e9) for path, at in STANDING.items()}
            self.workflow.iocache.mtime.update(known)
        await super().update_needrun(create_inventory)

    async def check_output_mtime(self, job, expanded_output):
        """Outputs of an input dated ahead get its time; the engine would take them for broken."""
        made = [*expanded_output, *([job.benchmark] if job.benchmark else [])]
        tuneatlas.make_newer(map(Path, made), map(Path, job.input))


snakemake.workflow.DAG = ByContent

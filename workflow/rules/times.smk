# What the engine makes of times. They say when, not whether, a file changed. It has no setting for
# that: its own checksums leave out folders, and it dates outputs itself, after their step has ended.
import inspect

import snakemake.workflow
from snakemake_interface_storage_plugins.io import Mtime

DAG = getattr(snakemake.workflow, "DAG", object)
# The methods that are refined below, as they are in the Snakemake of envs/lock.txt.
REFINED = {
    "update_needrun": ["self", "create_inventory"],
    "check_output_mtime": ["self", "job", "expanded_output"],
    # In checks.smk.
    "postprocess": [
        *("self", "update_needrun", "update_incomplete_input_expand_jobs", "check_initial")
    ],
}
for name, parameters in REFINED.items():
    if [*inspect.signature(getattr(DAG, name, lambda: None)).parameters] != parameters:
        raise WorkflowError(
            f"Snakemake {snakemake.__version__} reckons with times in another way than the one "
            "that this workflow was made for: install the version of envs/lock.txt, as make does"
        )

try:
    STANDING = tuneatlas.standing(ROOT / "results") if workflow.is_main_process else {}
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
        if not is_own(job):
            return await super().check_output_mtime(job, expanded_output)
        tuneatlas.make_newer(map(Path, expanded_output), map(Path, job.input))


snakemake.workflow.DAG = ByContent

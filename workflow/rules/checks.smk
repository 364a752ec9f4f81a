# What is looked at when all jobs are known and none has begun. Not by `onstart`, which is the main
# workflow's alone.
import snakemake.workflow
from snakemake.logging import logger


def is_own(job):
    """Whether a job is of these rules; the workflow that uses them may have others."""
    return job.rule.module_globals is globals()


def step_of(job):
    """The step that a job is: another workflow may have renamed its rule."""
    return Path(job.rule.script).stem if job.rule.script else job.rule.name


def request(job):
    """What a job asks of the cluster."""
    own = tuneatlas.operations_of(operations, step_of(job), job.wildcards)
    options = tuneatlas.joined(job.params.get("options") or {}, own)
    return tuneatlas.Request(job.rule.name, dict(job.resources.items()), options)


def check(jobs):
    """Refuse what would stop one of these jobs, all that is wrong in one message."""
    tuneatlas.settle(STANDING)
    here = workflow.local_exec
    due = {step_of(job) for job in jobs}
    tuneatlas.preflight(experiment, ROOT, "data", here=here, due=due)
    if not here:
        remote = [job for job in jobs if not job.is_local]
        if GPU_TYPES:
            on_gpus = [j for j in remote if j.resources.get("gpu") or j.resources.get("gres")]
            named = ((step_of(j), dict(j.wildcards.items())) for j in on_gpus)
            needs = ((step, tuneatlas.memory_of(study(), step, w)) for step, w in named)
            tuneatlas.check_types(GPU_TYPES, needs)
        check_site([*map(request, remote)])
    # Of a run that was refused nothing stands here.
    if not IS_MODULE and (said := tuneatlas.note_run(ROOT, BESIDE, experiment.name, STARTED_WITH)):
        logger.warning(said)


class Checked(snakemake.workflow.DAG):
    """Checks the jobs of this workflow before the first one, where they are to run."""

    async def postprocess(
        self,
        update_needrun=True,
        update_incomplete_input_expand_jobs=True,
        check_initial=False,
    ):
        await super().postprocess(
            update_needrun, update_incomplete_input_expand_jobs, check_initial
        )
        # Not in a dry-run: a plan needs neither data nor access to models, and writes nothing.
        if check_initial and self.workflow.is_main_process and not self.workflow.dryrun:
            if jobs := [job for job in self.needrun_jobs() if is_own(job)]:
                try:
                    check(jobs)
                except UserError as error:
                    raise WorkflowError(str(error)) from None
                if workflow.local_exec:
                    start_warm(len(jobs))


snakemake.workflow.DAG = Checked

# Weights that go once everything that reads them stands: `keep` in the section of their step. They
# come back as anything does that was deleted: where a job that must run reads them.
import snakemake.workflow

DAG = getattr(snakemake.workflow, "DAG", object)
# Targets that ask for all of a study; who asks for a file may ask for the next one later.
STUDIES = {"all", "verify", "s1", "s2", "s3"}


def keep_of(job):
    """How long a job's outputs stay."""
    own = tuneatlas.operations_of(operations, step_of(job), job.wildcards) if is_own(job) else {}
    return own.get("keep", "weights")


def read_elsewhere(job):
    """What is made from a tuned model in other studies than that a run was asked for."""
    if step_of(job) != "finetune":
        return []
    w = job.wildcards
    found = [rules.evaluate_knowledge.output.answers]
    if w.domain in FOLLOWED and w.group in config["stage_forgetting"]["groups"]:
        found += rules.evaluate_stages.output
    if config["evaluate_harness"]["tasks"]:
        found += expand(
            rules.evaluate_harness.output.metrics,
            trained=f"{w.domain}/{w.group}/{w.seed}",
            allow_missing=True,
        )
    return expand(found, **w)


class LettingGo(DAG):
    """Lets weights go when what reads them has ended, and what a run before left, at the start."""

    async def postprocess(
        self,
        update_needrun=True,
        update_incomplete_input_expand_jobs=True,
        check_initial=False,
    ):
        await super().postprocess(
            update_needrun, update_incomplete_input_expand_jobs, check_initial
        )
        if check_initial and is_at_work(self.workflow):
            self.let_go(self.jobs)

    async def finish(self, job, update_checkpoint_dependencies=True):
        new = await super().finish(job, update_checkpoint_dependencies)
        if is_at_work(self.workflow):
            ended = len(self._finished) >= len(self._needrun)
            read = (maker for one in members([job]) for maker in self._dependencies[one])
            self.let_go([*self.jobs] if ended else dict.fromkeys(read))
        return new

    def let_go(self, makers):
        for maker in makers:
            keep = keep_of(maker)
            if keep != "weights" and self.is_read(maker, keep):
                for path in map(Path, maker.output):
                    tuneatlas.let_go(path, keep)

    def is_read(self, maker, keep):
        """Whether all that a job makes was read by all that it is for, and is there."""
        readers = self.depending[maker]
        if maker in self.targetjobs or not readers or any(map(self.awaits, [maker, *readers])):
            return False
        weights = [Path(path) for path in maker.output]
        if not any(map(tuneatlas.is_there, weights)):
            return False
        made = [path for job in readers if is_own(job) and job.rule.script for path in job.output]
        if keep == "until measured":
            asked = {job.rule.name for job in self.targetjobs}
            if not (IS_MODULE or asked & STUDIES):
                return False
            made += read_elsewhere(maker)
        return tuneatlas.are_measured(weights, map(Path, made), recorded)

    def awaits(self, job):
        """Whether a job is yet to run, or may be: one that stands may be asked again in this run."""
        left = len(self._finished) < len(self._needrun)
        return job in self._needrun and job not in self._finished or left and job in SPARED


snakemake.workflow.DAG = LettingGo

# Early cut-off: a step that ran again and wrote the same bytes remakes nothing behind it. The engine
# plans all jobs at once and knows only that a file was written. Here, whether a job behind must run
# is decided in the driver once what it waits for has ended, before anything is submitted.
import time
from collections import Counter

import snakemake.jobs
from snakemake.logging import logger

DAG = getattr(snakemake.workflow, "DAG", object)
require_pinned(
    DAG,
    {
        "_ready": ["self", "job"],
        "finish": ["self", "job", "update_checkpoint_dependencies"],
        "register_running": ["self", "jobs"],
        "update_ready": ["self", "jobs"],
    },
    state=["_needrun", "_finished", "_running", "_ready_jobs", "_n_until_ready", "_group", "_len"],
)
require_pinned(snakemake.jobs.GroupJob, {"__init__": ["self", "id", "jobs", "global_resources"]})
# The jobs that were not run, as it turned out that they stand.
SPARED = {}


def members(jobs):
    """Jobs, and those in groups of jobs."""
    return [one for job in jobs for one in (job if job.is_group() else [job])]


def is_at_work(flow):
    """Whether a process runs jobs and waits for them; a plan shows all that may run."""
    runs = flow.is_main_process and flow.executor_plugin is not None
    return (
        runs
        and not flow.dryrun
        and not flow.touch
        and not flow.remote_execution_settings.immediate_submit
    )


def seen(path):
    """Which file a record is, that another may take the place of."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


class WithCutoff(DAG):
    """Jobs behind a step that wrote the bytes which were there before stand."""

    cutoff = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        # The records of outputs as they were when their job began.
        self.before = {}

    def update_ready(self, jobs=None):
        if jobs is None and is_at_work(self.workflow):
            self.start_cutoff()
        return super().update_ready(jobs)

    def start_cutoff(self):
        due = {job: None for job in self._needrun if job not in self._finished}
        needs = {
            job: {maker: files for maker, files in self._dependencies[job].items() if maker in due}
            for job in due
        }
        running = set(members(self._running))
        self.cutoff = tuneatlas.Cutoff(
            needs,
            is_other=lambda job, files: any(
                not tuneatlas.is_what_made(KNOWN, str(file), str(path))
                for path in job.output
                for file in files
            ),
            is_changed=self.is_changed,
            is_missing=lambda path: not Path(path).exists(),
            together=lambda job: job.group,
        )
        self.cutoff.begin(running)
        yet = {job: {str(f) for files in needs[job].values() for f in files} for job in due}
        own = (job for job in due if job in running or self.has_reasons(job, yet[job]))
        self.apply(self.cutoff.start(own))

    def has_reasons(self, job, yet):
        """Whether a job runs whatever becomes of those that it waits for, or nothing says."""
        if not job.rule.script or any(str(path) not in KNOWN.records for path in job.output):
            return True
        forced = job.rule in self.forcerules or not self.forcefiles.isdisjoint(job.output)
        lacking = job in self.targetjobs and not all(Path(path).exists() for path in job.output)
        other = any(self.workflow.persistence.software_stack_changed(job))
        known = planned(job)
        return forced or lacking or other or any(tuneatlas.own_reasons(known, KNOWN, yet))

    def is_changed(self, job):
        # As the engine does before a job: what they rest on may be another file now.
        job.reset_params_and_resources()
        return any(tuneatlas.own_reasons(planned(job), KNOWN))

    def _ready(self, job):
        return super()._ready(job) and (self.cutoff is None or self.cutoff.must_run(job))

    def register_running(self, jobs):
        super().register_running(jobs)
        if self.cutoff is not None:
            self.cutoff.begin(members(jobs))
            for path in (path for job in members(jobs) for path in job.output):
                self.before[path] = seen(tuneatlas.record_path(Path(path)))

    async def finish(self, job, update_checkpoint_dependencies=True):
        ended = members([job])
        if self.cutoff is not None:
            for one in ended:
                for path in one.output:
                    self.renew(path) if one.rule.script else KNOWN.forget(str(path))
        new = await super().finish(job, update_checkpoint_dependencies)
        if self.cutoff is None:
            return new
        decided = self.cutoff.end(ended)
        self.apply(decided)
        SPARED.update(dict.fromkeys(decided.standing))
        for one in decided.standing:
            await self.handle_temp(one)
        behind = dict.fromkeys(
            user for one in [*ended, *decided.standing] for user in self.depending[one]
        )
        found = [one for one in [*decided.wanted, *behind] if one in self._needrun]
        return self.update_ready(one for one in found if one in self._n_until_ready) or new

    def renew(self, path):
        """Take an output for what its new record says, once it can be seen from here."""
        record = tuneatlas.record_path(Path(path))
        wait = 0 if self.workflow.local_exec else self.workflow.execution_settings.latency_wait
        until = time.monotonic() + wait
        while seen(record) in (None, self.before.get(path)):
            if time.monotonic() > until:
                KNOWN.forget(str(path))
                return
            time.sleep(0.5)
            # A listing shows what was written on another node.
            next(record.parent.iterdir(), None)
        KNOWN.renew(str(path))

    def apply(self, decided):
        """Take jobs that stand out of what the engine has to do, and others in again."""
        for job in decided.standing:
            self._needrun.discard(job)
            self._n_until_ready.pop(job, None)
            self._len -= 1
            self.leave_group(job)
            tuneatlas.settle_job(map(Path, job.output), map(Path, job.input))
            for user in self.depending[job]:
                if user in self._n_until_ready:
                    self._n_until_ready[user] -= 1
        for job in decided.revived:
            self._needrun.add(job)
            self._len += 1
            SPARED.pop(job, None)
            if job.group is not None:
                self.join_group([job], job.group)
            for user in self.depending[job]:
                if user in self._n_until_ready:
                    self._n_until_ready[user] += 1
        for job in decided.revived:
            makers = (m for m in self._dependencies[job] if m in self._needrun)
            self._n_until_ready[job] = sum(m not in self._finished for m in makers)

    def leave_group(self, job):
        group = self._group.pop(job, None)
        if group is not None and (rest := set(group.jobs) - {job}):
            self.join_group(rest, group.groupid)

    def join_group(self, jobs, name):
        group = snakemake.jobs.GroupJob(name, frozenset(jobs), self.workflow.global_resources)
        group.finalize()
        self._group.update(dict.fromkeys(jobs, group))


def tell_spared():
    if SPARED:
        steps = Counter(job.rule.name for job in SPARED)
        counted = ", ".join(f"{step} {times}" for step, times in steps.items())
        number = f"{len(SPARED)} job" + "s" * (len(SPARED) > 1)
        logger.info(f"Not run, as what they are made from came out as before: {number}: {counted}")


onsuccess:
    tell_spared()


onerror:
    tell_spared()


# Another workflow that uses these rules has jobs that have no records.
if not IS_MODULE:
    snakemake.workflow.DAG = WithCutoff

# Weights that go once everything that reads them stands: `keep` in the section of their step. They
# come back as anything does that was deleted: where a job that must run reads them.
import snakemake.workflow
from snakemake.logging import logger

DAG = getattr(snakemake.workflow, "DAG", object)
# Targets that ask for all of a study; who asks for a file may ask for the next one later.
STUDIES = {"all", "verify", "s1", "s2", "s3"}


# Steps that tune in other ways than section finetune has it, or further.
TUNES_FURTHER = ("finetune_treatment", "reinforce_treatment", "finetune_stages")


def keep_of(job):
    """How long a job's outputs stay."""
    own = tuneatlas.operations_of(operations, step_of(job), job.wildcards) if is_own(job) else {}
    return own.get("keep", "weights")


def read_elsewhere(job):
    """What is made from a model in other studies than that a run was asked for."""
    step, w = step_of(job), job.wildcards
    if step not in ("restore_base", "finetune", *TUNES_FURTHER):
        return []
    harness = bool(config["evaluate_harness"]["tasks"])
    if step == "restore_base":
        asked = harness and f"restored/{w.seed}" in HARNESS[w.model]
        path = rules.evaluate_harness.output.metrics
        return expand(path, model=w.model, trained=f"restored/{w.seed}") if asked else []
    found = []
    if w.domain in MAPPED and w.group in ATLAS["groups"] and int(w.seed) in MAPPED_SEEDS:
        found += measured()
    if step != "finetune":
        return expand(found, **w)
    found += rules.evaluate_knowledge.output
    if is_followed(w):
        found += rules.evaluate_stages.output
    if harness:
        found += expand(
            rules.evaluate_harness.output.metrics,
            trained=f"{w.domain}/{w.group}/{w.seed}",
            allow_missing=True,
        )
    return expand(found, **w)


def held_of(job):
    """What a job's models and states take; None of a job that makes no model."""
    step = step_of(job)
    if step in tuneatlas.BROUGHT:
        entry = entry_of(job.wildcards)
        # Some base models are made here.
        training = {} if step == "prepare_checkpoint" else entry.get("training", {})
        return tuneatlas.held(training, entry, 1, ROOT)
    training = SETTINGS.get(tuneatlas.section_of(step, job.wildcards), {})
    if "keep" not in training:
        return None
    models = len(tuneatlas.folders(job.output))
    return tuneatlas.held(training, entry_of(job.wildcards), models, ROOT)


def is_held(job):
    """Whether some of a job's models are there."""
    return any(tuneatlas.is_there(Path(path)) for path in tuneatlas.folders(job.output))


def chain_of(job):
    """Which trainings have their room together."""
    return tuneatlas.chain_of(job.wildcards)


class LettingGo(DAG):
    """Lets weights go when what reads them has ended, and what a run before left, at the start."""

    ledger = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        # Trainings by chain, and those that wait for room.
        self.chains, self.waiting = {}, {}

    def update_ready(self, jobs=None):
        if jobs is None and is_at_work(self.workflow):
            self.open_ledger()
        return super().update_ready(jobs)

    def open_ledger(self):
        """Count what the due trainings will hold, if the experiment says how much may be held."""
        limit = operations.get("storage", {}).get("at_most_gb")
        if limit is None:
            return
        # What was read by now is in nobody's way.
        self.let_go(self.jobs)
        stays, sizes, begun = 0.0, {}, set()
        self.chains = {}
        for job in filter(is_own, self.jobs):
            found = held_of(job)
            if found is None:
                continue
            due, here = self.awaits(job), is_held(job)
            size = found.all if due else found.weights if here else 0.0
            if self.goes(job) and (due or any(map(self.awaits, self.depending[job]))):
                name = chain_of(job)
                sizes[name] = sizes.get(name, 0.0) + size
                self.chains.setdefault(name, []).append(job)
                if here:
                    # A run before left it: to be read, or to be made anew.
                    begun.add(name)
            else:
                stays += size
        try:
            self.ledger = tuneatlas.Ledger(limit, stays, sizes)
        except UserError as error:
            raise WorkflowError(str(error)) from None
        self.ledger.begun |= begun

    def end_chains(self):
        """Give back the room of chains that were made and read, but for what still stands."""
        for name in [*self.ledger.begun]:
            makers = self.chains[name]
            if any(self.may_run(job) for m in makers for job in [m, *self.depending[m]]):
                continue
            # A record that came late kept them.
            self.let_go(makers)
            left = [maker for maker in makers if is_held(maker)]
            for maker in left:
                logger.warning(
                    f"{maker.output[0]} stays, as not all that reads it stands, and takes its part "
                    "of storage.at_most_gb"
                )
            self.ledger.end(name, sum(held_of(maker).weights for maker in left))

    def _ready(self, job):
        if not super()._ready(job):
            return False
        if self.ledger is None or not is_own(job):
            return True
        if not self.goes(job) or self.ledger.admits(chain_of(job)):
            self.waiting.pop(job, None)
            return True
        self.waiting[job] = None
        return False

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
            if self.waiting:
                self.end_chains()
                new = (
                    self.update_ready([one for one in self.waiting if one in self._needrun]) or new
                )
        return new

    def let_go(self, makers):
        for maker in makers:
            keep = keep_of(maker)
            if keep != "weights" and self.is_read(maker, keep):
                for path in map(Path, tuneatlas.folders(maker.output)):
                    tuneatlas.let_go(path, keep)

    def is_read(self, maker, keep):
        """Whether all that a job makes was read by all that it is for, and is there."""
        readers = self.depending[maker]
        if maker in self.targetjobs or not readers or any(map(self.may_run, [maker, *readers])):
            return False
        if not is_held(maker):
            return False
        weights = [Path(path) for path in tuneatlas.folders(maker.output)]
        # Others read what it writes beside them.
        read = [job for job in readers if not {*map(str, weights)}.isdisjoint(map(str, job.input))]
        made = [path for job in read if is_own(job) and job.rule.script for path in job.output]
        if keep == "until measured":
            if not self.asks_for_a_study():
                return False
            made += read_elsewhere(maker)
        return tuneatlas.are_measured(weights, map(Path, made), recorded)

    def goes(self, job):
        """Whether what a job makes is let go while this run is at work."""
        keep = keep_of(job)
        if job in self.targetjobs or not tuneatlas.goes(step_of(job), keep):
            return False
        if keep == "never":
            return True
        made = {str(path) for reader in self.depending[job] for path in reader.output}
        return self.asks_for_a_study() and all(
            path in made or Path(path).exists() for path in read_elsewhere(job)
        )

    def asks_for_a_study(self):
        return any(job.rule.name in STUDIES for job in self.targetjobs)

    def awaits(self, job):
        """Whether a job is yet to run, or to be decided on."""
        return job in self._needrun and job not in self._finished

    def may_run(self, job):
        """Whether a job is awaited, or stands without its outputs, which what is awaited may read."""
        if self.awaits(job):
            return True
        gone = not all(Path(path).exists() for path in job.output)
        return gone and any(map(self.may_run, self.depending[job]))


# Another workflow that uses these rules reads what it likes, when it likes, and has no early
# cut-off: what came back would remake all that was measured.
if not IS_MODULE:
    snakemake.workflow.DAG = LettingGo
elif operations.get("storage", {}).get("at_most_gb") is not None:
    raise WorkflowError(
        "storage.at_most_gb: a workflow that uses this one as a module keeps all weights, so that "
        "nothing bounds what they take: leave the key out of the module's config"
    )

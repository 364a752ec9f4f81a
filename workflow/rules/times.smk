# What the engine makes of times, and of its own notes. Times say when, not whether, a file changed.
# It has no setting for that: its own checksums leave out folders, and it dates outputs itself,
# after their step has ended. Its notes on settings and code, in .snakemake, stay behind where
# results are copied, and know nothing of changes that were accepted: records say what they say.
import inspect
import os

import snakemake.persistence
import snakemake.workflow
from snakemake_interface_storage_plugins.io import Mtime

DAG = getattr(snakemake.workflow, "DAG", object)
NOTES = getattr(snakemake.persistence, "PersistenceBase", object)


def require_pinned(owner, refined, state=()):
    """Refuse an engine whose methods to be refined, or whose own state, are not as pinned."""
    found = {name: getattr(owner, name, lambda: None) for name in refined}
    alike = all([*inspect.signature(found[name]).parameters] == refined[name] for name in refined)
    if not alike or not set(state).issubset(owner.__init__.__code__.co_names):
        raise WorkflowError(
            f"Snakemake {snakemake.__version__} reckons with times in another way than the one "
            "that this workflow was made for: install the version of envs/lock.txt, as make does"
        )


require_pinned(
    DAG,
    {
        "update_needrun": ["self", "create_inventory"],
        "check_output_mtime": ["self", "job", "expanded_output"],
        # In checks.smk.
        "postprocess": [
            *("self", "update_needrun", "update_incomplete_input_expand_jobs", "check_initial")
        ],
    },
)
require_pinned(
    NOTES,
    {
        "has_metadata": ["self", "job"],
        "params_changed": ["self", "job", "file"],
        "input_changed": ["self", "job", "file"],
    },
)

try:
    KNOWN = tuneatlas.known(ROOT / "results", workflow.is_main_process)
    STANDING = tuneatlas.standing(KNOWN)
except UserError as error:
    raise WorkflowError(str(error)) from None


def recorded(path):
    """What records call a file, which know no prefix."""
    text = str(path)
    if not PREFIX or Path(text).is_absolute():
        return text
    return os.path.relpath(text, PREFIX)


def is_recorded(job):
    """Whether records say what a job's outputs were made with; of a shell's commands none does."""
    script = is_own(job) and job.rule.script
    return bool(script) and any(recorded(path) in KNOWN.records for path in job.output)


def planned(job):
    """A job as the records know it."""
    return tuneatlas.planned(job, step_of(job), recorded)


class Otherwise(snakemake.persistence.ParamsChange):
    """What a job was made with that is otherwise now, in words."""

    def __str__(self):
        return "; ".join(sorted(self.only_new))


def by_records(notes):
    """Let the engine's notes give way to the records, of jobs that have some."""
    has_metadata, params_changed, input_changed = (
        notes.has_metadata,
        notes.params_changed,
        notes.input_changed,
    )

    def changed(job, file=None):
        if not is_recorded(job):
            return params_changed(job, file=file)
        reasons = set(tuneatlas.own_reasons(planned(job), KNOWN))
        return Otherwise(only_new=reasons, files={*map(str, job.output)})

    notes.has_metadata = lambda job: is_recorded(job) or has_metadata(job)
    notes.params_changed = changed
    notes.input_changed = lambda job, file=None: (
        input_changed(job, file=file) if not is_recorded(job) else () if file is None else False
    )


# Those of which the records say what they say.
WRAPPED = []


class ByContent(DAG):
    """Jobs whose files were touched, copied or dated ahead, but hold what they held, stand."""

    async def update_needrun(self, create_inventory=False):
        notes = self.workflow.persistence
        if self.workflow.is_main_process and notes not in WRAPPED:
            WRAPPED.append(notes)
            by_records(notes)
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

"""Why a job would run: the plan of an experiment against the records of what was done."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from tuneatlas.audit.lineage import Results
from tuneatlas.engine.accepted import changes_since
from tuneatlas.engine.digest import Code, code_of
from tuneatlas.engine.files import FOLDER_MARK
from tuneatlas.engine.jobs import Job, changed_options
from tuneatlas.engine.letting_go import fate
from tuneatlas.engine.operations import is_shard
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError


@dataclass(frozen=True)
class Reasons:
    """Why a job runs: its own reasons, and the jobs it waits for; both empty if it stands."""

    job: Job
    own: tuple[str, ...] = ()
    after: tuple[Job, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.own or self.after)


def reasons(jobs: Sequence[Job], results: Results) -> list[Reasons]:
    """What each job that would run runs for, in an order in which they can run.

    A job runs if one of its outputs was made with other settings, code, libraries or inputs
    than there are now, or is missing and needed, and after every job that it depends on.
    """
    needs = needs_of(jobs)
    order = in_order(needs)
    used = {name for job in jobs for name in job.inputs}
    own = {job: tuple(own_reasons(job, results)) for job in order}
    missing = {job: [n for n in job.outputs if not results.place(n).exists()] for job in order}
    due: dict[Job, tuple[Job, ...]] = {}
    for job in order:
        after = tuple(before for before in needs[job] if before in due)
        final = [n for n in missing[job] if n not in used]
        if own[job] or after or final:
            due[job] = after
    # What is missing is made again only where a job that runs needs it.
    for job in reversed(order):
        wanted = {n for later in due for n in later.inputs if job in needs[later]}
        if job not in due and wanted.intersection(missing[job]):
            due[job] = ()
    for job in order:
        after = tuple(before for before in needs[job] if before in due)
        if after or job in due:
            due[job] = after
    return [
        Reasons(job, (*(_absence(n, results) for n in missing[job]), *own[job]), due[job])
        for job in order
        if job in due
    ]


def needs_of(jobs: Sequence[Job]) -> dict[Job, list[Job]]:
    """The jobs that each job waits for."""
    makers = {name: job for job in jobs for name in job.outputs}
    return {job: _unique(makers[n] for n in job.inputs if n in makers) for job in jobs}


def in_order(needs: Mapping[Job, Sequence[Job]]) -> list[Job]:
    """Each job after all that it waits for."""
    return list(TopologicalSorter(needs).static_order())


def _absence(name: str, results: Results) -> str:
    record = results.let_go.get(name)
    return f"{name} was {fate(record)}, and is read" if record else f"{name} is not there"


def restricted(jobs: Sequence[Job], target: str) -> list[Job]:
    """The jobs that make ``target`` (an output, or all outputs of a step) and what they need.

    Raises UserError if none makes it.
    """
    makers = {name: job for job in jobs for name in job.outputs}
    wanted = [j for j in jobs if j.step == target or target.rstrip("/") in j.outputs]
    if not wanted:
        raise UserError(f"{target}: neither a step nor a file of this experiment")
    kept: dict[Job, None] = {}
    while wanted:
        job = wanted.pop()
        if job not in kept:
            kept[job] = None
            wanted += [makers[name] for name in job.inputs if name in makers]
    return [job for job in jobs if job in kept]


def own_reasons(
    job: Job, results: Results, pending: Collection[str] = frozenset()
) -> Iterator[str]:
    """What a job's outputs were made with that is otherwise now, by their records.

    What was deleted is judged by its record: it would not be made as it was.

    Args:
        job: what makes the outputs.
        results: the records, and what the files hold.
        pending: inputs that are yet to be made; their content says nothing.
    """
    found: dict[str, None] = {}
    for output in job.outputs:
        if output in results.records:
            changes = changes_since(results.records[output], code_now(job, results))
            found |= dict.fromkeys(other_reasons(job, results, output, pending))
            found |= dict.fromkeys(f"{kind} {change}" for kind, change in changes)
    yield from found


def code_now(job: Job, results: Results) -> Code:
    """The code that a job would run."""
    return code_of(Path(job.script or results.project / "workflow" / "scripts" / f"{job.step}.py"))


def other_reasons(
    job: Job, results: Results, output: str, pending: Collection[str] = frozenset()
) -> Iterator[str]:
    """As `own_reasons`, of one output that has a record, but for its code."""
    record = results.records[output]
    yield from (f"config {change}" for change in changed_options(job, record))
    old, new = set(record["inputs"]), set(job.inputs)
    # Whatever the number of shards, they are the same parts of the same whole.
    scattered = {name for name in old ^ new if is_shard(name)}
    yield from (f"input {name} is new" for name in sorted(new - old - scattered))
    yield from (f"input {name} is gone" for name in sorted(old - new - scattered))
    for name in sorted((old & new).difference(pending)):
        if not is_what_made(results, name, output):
            yield f"input {name} has other content"


def is_what_made(results: Results, name: str, output: str) -> bool:
    """Whether an input holds what an output was made from; unread where it is older."""
    sha256 = results.records[output]["inputs"][name]
    place, made = results.place(name), results.place(output)
    if not place.exists():
        # Deleted to save space: it would be made again as it was. Of a user's own file that is
        # gone the workflow itself speaks.
        return name not in results.records or results.records[name]["sha256"] == sha256
    if name not in results.renewed and not is_newer(
        place, made if made.exists() else record_path(made)
    ):
        return True
    content = results.content(name)
    return content is not None and content.is_(sha256)


def is_newer(one: Path, other: Path) -> bool:
    """Whether ``one`` was written after ``other``; unread content is compared only then."""
    return one.exists() and written(one) > written(other)


def written(path: Path) -> int:
    """When a file or folder was finished, in nanoseconds: of a folder, its mark says so.

    A link is as new as it or what it leads to.
    """
    mark = path / FOLDER_MARK
    target = (mark if mark.exists() else path).stat().st_mtime_ns
    return max(target, path.lstat().st_mtime_ns) if path.is_symlink() else target


def _unique(jobs: Iterator[Job]) -> list[Job]:
    return list(dict.fromkeys(jobs))

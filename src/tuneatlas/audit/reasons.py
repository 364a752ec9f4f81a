"""Why a job would run: the plan of an experiment against the records of what was done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from tuneatlas.audit.lineage import Results
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.files import FOLDER_MARK
from tuneatlas.engine.jobs import Job, changed_options, code_changes, code_in


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
    makers = {name: job for job in jobs for name in job.outputs}
    needs = {job: _unique(makers[n] for n in job.inputs if n in makers) for job in jobs}
    order = list(TopologicalSorter(needs).static_order())
    used = {name for job in jobs for name in job.inputs}
    own = {job: tuple(_own(job, results)) for job in order}
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
        Reasons(job, (*(f"{n} is not there" for n in missing[job]), *own[job]), due[job])
        for job in order
        if job in due
    ]


def restricted(jobs: Sequence[Job], target: str) -> list[Job]:
    """The jobs that make ``target`` (an output, or all outputs of a step) and what they need."""
    makers = {name: job for job in jobs for name in job.outputs}
    wanted = [j for j in jobs if j.step == target or target.rstrip("/") in j.outputs]
    kept: dict[Job, None] = {}
    while wanted:
        job = wanted.pop()
        if job not in kept:
            kept[job] = None
            wanted += [makers[name] for name in job.inputs if name in makers]
    return [job for job in jobs if job in kept]


def _own(job: Job, results: Results) -> Iterator[str]:
    found: dict[str, None] = {}
    for output in job.outputs:
        record = results.records.get(output)
        if record is None or not results.place(output).exists():
            continue
        found |= dict.fromkeys(f"config {change}" for change in changed_options(job, record))
        script = results.root / "workflow" / "scripts" / f"{job.step}.py"
        now = code_of(script)
        changes = code_changes(code_in(record), now)
        found |= dict.fromkeys(f"{kind} {change}" for kind, change in changes)
        old, new = set(record["inputs"]), set(job.inputs)
        found |= dict.fromkeys(f"input {name} is new" for name in sorted(new - old))
        found |= dict.fromkeys(f"input {name} is gone" for name in sorted(old - new))
        for name in sorted(old & new):
            if is_newer(results.place(name), results.place(output)):
                content = results.content(name)
                if content and not content.is_(record["inputs"][name]):
                    found[f"input {name} has other content"] = None
    yield from found


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

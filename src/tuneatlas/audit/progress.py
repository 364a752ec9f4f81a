"""How far a run is: which jobs are done, at work, waiting for what; and when it will be done.

Read off what the run writes in any case, its records and logs, from this machine or another one
that sees the folder, so that a run is neither asked nor slowed.
"""

import json
import re
import time
from base64 import urlsafe_b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tuneatlas.audit.reasons import needs_of
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import record_path
from tuneatlas.engine.run_folders import is_locked
from tuneatlas.sizing.events import Cluster, Task, simulate

LOCKS = Path(".snakemake/locks")
# What the engine writes of a job that it begins, by its first output, and takes away at its end.
BEGUN = Path(".snakemake/incomplete")
# A line of a step's log: when, how grave, who says what.
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ [A-Z]+ \S+ (.*)")
# Bytes of the longest name of a file.
NAME_MAX = 255
LEFT = re.compile(r"(\d+) s left$")


@dataclass(frozen=True)
class AtWork:
    """A job that runs: for how many seconds, and what its log said last."""

    seconds: float
    said: str

    @property
    def left(self) -> float | None:
        """Seconds that it says it has left, if it does."""
        found = LEFT.search(self.said)
        return float(found[1]) if found else None


@dataclass
class Progress:
    """Where each job of a run is, by its place among all; ``took`` are seconds of those done.

    ``most``: how many were seen at work at a time.
    """

    done: set[int] = field(default_factory=set)
    at_work: dict[int, AtWork] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)
    running: bool = False
    most: int = 0

    def waits(self, count: int) -> list[int]:
        """The jobs that have not begun, of so many."""
        begun = self.done | self.at_work.keys() | self.failed.keys()
        return [number for number in range(count) if number not in begun]


def began(folder: Path) -> float:
    """When the run that is at work in a folder began, or the present; seconds of the epoch."""
    locks = [path.stat().st_mtime for path in (folder / LOCKS).glob("*")]
    return min(locks, default=time.time())


class Watcher:
    """Looks at a run again and again; what was seen to be done is not looked at twice.

    Args:
        jobs: all jobs of the experiment, as planned at ``planned``.
        folder: that it works in.
        planned: when, in seconds of the epoch; what was not due then is done.
    """

    def __init__(self, jobs: Sequence[Job], folder: Path, planned: float) -> None:
        self.jobs, self.folder, self.planned = jobs, folder, planned
        self.seen = Progress(done={n for n, job in enumerate(jobs) if not job.due})
        for number in self.seen.done:
            self._time(number)

    def look(self) -> Progress:
        """Where all jobs are now."""
        since, now = began(self.folder), time.time()
        found = self.seen
        found.at_work, found.failed = {}, {}
        found.running = is_locked(self.folder)
        for number, job in enumerate(self.jobs):
            if number in found.done:
                continue
            if self._is_made(job):
                found.done.add(number)
                self._time(number)
            elif (why := self._failure(job, since)) is not None:
                found.failed[number] = why
            elif found.running and (at_work := self._at_work(job, since, now)):
                found.at_work[number] = at_work
        found.most = max(found.most, len(found.at_work))
        return found

    def _is_made(self, job: Job) -> bool:
        places = [self.folder / name for name in job.outputs]
        # A record is written after what it tells of; a step that is no script has none.
        signs = [record_path(place) for place in places] if job.script else places
        return bool(signs) and all(_written(sign) >= self.planned for sign in signs)

    def _time(self, number: int) -> None:
        job = self.jobs[number]
        record, _ = read_record(record_path(self.folder / job.outputs[0]))
        if record is not None and (took := record.get("wall_s")) is not None:
            self.seen.took[number] = float(took)

    def _failure(self, job: Job, since: float) -> str | None:
        path = (self.folder / job.log).with_suffix(".failed") if job.log else None
        if path is None or _written(path) < since:
            return None
        said = _said(self.folder / job.log)
        return f"{said[-1][1]}; see {job.log}" if said else f"see {job.log}"

    def _at_work(self, job: Job, since: float, now: float) -> AtWork | None:
        path = self.folder / job.log
        lines = _said(path) if job.log and _written(path) >= since else []
        if not lines:
            # What loads its libraries has no log yet.
            begun = self._begun(job)
            return AtWork(max(0.0, now - begun), "begins") if begun >= since else None
        if lines[-1][1].startswith("done in "):
            return None
        start = time.mktime(time.strptime(lines[0][0], "%Y-%m-%d %H:%M:%S"))
        return AtWork(max(0.0, now - start), lines[-1][1])

    def _begun(self, job: Job) -> float:
        """When the engine began a job; 0 if it did not, or but handed it in to a cluster."""
        name = job.outputs[0] if job.outputs else ""
        path = (self.folder / BEGUN).joinpath(*_engine_name(name))
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # Gone by now, or yet to be written.
            return 0.0
        return _written(path) if told.get("external_jobid") is None else 0.0


def _engine_name(output: str) -> list[str]:
    """Folders and file in which the engine tells of an output: its name may be too long for one."""
    told = urlsafe_b64encode(output.encode()).decode()
    parts = [told[at : at + NAME_MAX - 1] for at in range(0, len(told), NAME_MAX - 1)] or [""]
    return [*(f"@{part}" for part in parts[:-1]), parts[-1]]


def _said(path: Path) -> list[tuple[str, str]]:
    """The lines of a step's log: when, and what; none where there is no log."""
    try:
        return LINE.findall(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def expected_seconds(
    jobs: Sequence[Job], sizes: Sequence[float], took: Mapping[int, float]
) -> list[float]:
    """How long each job takes: its size, by how long jobs of its step took for theirs so far.

    Of a step of which none is done, by how long all that are done took.
    """
    by_step: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, seconds in took.items():
        by_step[jobs[number].step].append((seconds, sizes[number]))
    rates = {step: _rate(pairs) for step, pairs in by_step.items()}
    common = _rate([pair for pairs in by_step.values() for pair in pairs]) if by_step else 1.0
    return [rates.get(job.step, common) * size for job, size in zip(jobs, sizes, strict=True)]


def _rate(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(seconds for seconds, _ in pairs) / (sum(size for _, size in pairs) or 1.0)


def seconds_left(jobs: Sequence[Job], progress: Progress, seconds: Sequence[float]) -> float:
    """When all that is not done will be, if as many jobs run at a time as were seen to."""
    numbers = [n for n in range(len(jobs)) if n not in progress.done]
    places = {number: place for place, number in enumerate(numbers)}
    number_of = {job: number for number, job in enumerate(jobs)}
    needs = needs_of(jobs)
    tasks = []
    # What runs goes on first.
    for number in numbers:
        work = seconds[number]
        if at_work := progress.at_work.get(number):
            left = at_work.left
            work = max(1.0, work - at_work.seconds) if left is None else left
        before = (number_of[job] for job in needs[jobs[number]])
        after = tuple(places[n] for n in before if n in places)
        tasks.append(Task(jobs[number].step, 0.0, work, after, cores=1))
    lanes = max(1, progress.most, len(progress.at_work))
    return simulate(tasks, Cluster(0, lanes, jobs=lanes), Random(0)).makespan


def waiting_for(jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[int, Counter[str]]]:
    """Each job that has not begun, and the steps it waits for; none where it waits for room."""
    number_of = {job: number for number, job in enumerate(jobs)}
    needs = needs_of(jobs)
    for number in progress.waits(len(jobs)):
        missing = (job for job in needs[jobs[number]] if number_of[job] not in progress.done)
        yield number, Counter(job.step for job in missing)

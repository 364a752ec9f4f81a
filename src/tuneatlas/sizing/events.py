"""Jobs on a cluster as events in time: which run when, which are cut off, and what that loses.

All times are in seconds. Jobs are submitted as they become ready, so many at a time, and start in
that order where there is room; one behind may start before one that waits for more. Every node with
GPUs is taken away, for a moment, after a random time: what runs on it is submitted again, last.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import count, islice
from random import Random

from tuneatlas.errors import UserError

# One that was begun so often does not end.
MOST_ATTEMPTS = 5000
# Nor does what takes so many times as long as its nodes are left alone.
MOST_LIVES = 500
# More often than this no job saves.
MOST_SAVES = 10_000


@dataclass(frozen=True)
class Saving:
    """After each ``every`` of work it is kept, in ``cost``; to go on from there takes ``read``."""

    every: float
    cost: float = 0.0
    read: float = 0.0


@dataclass(frozen=True)
class Task:
    """A job: what it waits for, by place in the list of all, what it takes, and what it keeps.

    ``start`` comes before the ``work``, at every attempt. ``gpus`` are those of all ``nodes``.
    Attempt *n* is cut off, with a warning, after *n* times ``limit``. Without ``saving`` a job that
    is cut off begins anew.
    """

    step: str
    start: float
    work: float
    after: tuple[int, ...] = ()
    gpus: int = 0
    nodes: int = 1
    cores: int = 0
    saving: Saving | None = None
    limit: float = math.inf

    def begin(self, left: float) -> float:
        """Until an attempt with so much ``left`` to do is at work."""
        resumed = self.saving is not None and left < self.work
        return self.start + (self.saving.read if self.saving and resumed else 0.0)

    def saves(self, left: float) -> int:
        """How often an attempt saves, if it comes to its end; the end is none of them."""
        return max(0, math.ceil(left / self.saving.every - 1e-9) - 1) if self.saving else 0

    def span(self, left: float) -> float:
        """An attempt that comes to its end."""
        saving = self.saves(left) * self.saving.cost if self.saving else 0.0
        return self.begin(left) + left + saving


@dataclass(frozen=True)
class Cluster:
    """GPUs on nodes of ``per_node``, processors, and the jobs that are submitted at a time.

    ``preempted_every``: how long a node is left alone, on average; ``warned``: its jobs are told in
    time to save what they have done. No attempt is given more than ``longest``.
    """

    gpus: int
    cores: int
    per_node: int = 8
    jobs: int = 100
    preempted_every: float = math.inf
    warned: bool = False
    longest: float = math.inf

    @property
    def nodes(self) -> list[int]:
        """GPUs of each node."""
        full, rest = divmod(self.gpus, self.per_node)
        return [self.per_node] * full + [rest] * bool(rest)

    def holds(self, task: Task) -> bool:
        """Whether a job can run at all."""
        each = math.ceil(task.gpus / task.nodes)
        return task.cores <= self.cores and sum(n >= each for n in self.nodes) >= (
            task.nodes if each else 0
        )


@dataclass
class Outcome:
    """How long all took, and where the GPU-seconds went: work, starts, saving, work done again."""

    makespan: float = 0.0
    work: float = 0.0
    starting: float = 0.0
    saving: float = 0.0
    lost: float = 0.0
    attempts: list[int] = field(default_factory=list)

    @property
    def busy(self) -> float:
        """GPU-seconds of all attempts."""
        return self.work + self.starting + self.saving + self.lost


def simulate(tasks: Sequence[Task], cluster: Cluster, draw: Random) -> Outcome:
    """Run all jobs to their end; UserError names one that never comes to it."""
    for task in tasks:
        if not cluster.holds(task):
            raise UserError(
                f"{task.step} asks for {task.gpus} GPUs on {task.nodes} nodes and {task.cores} "
                "cores at once, more than there are"
            )
    return _Run(tasks, cluster, draw).all()


class _Run:
    def __init__(self, tasks: Sequence[Task], cluster: Cluster, draw: Random) -> None:
        self.tasks, self.cluster, self.draw = tasks, cluster, draw
        self.now, self.order = 0.0, count()
        self.ends: list[tuple[float, int, int]] = []  # when, in which order, which job
        self.left = [task.work for task in tasks]
        self.waits = [len(set(task.after)) for task in tasks]
        self.behind: list[list[int]] = [[] for _ in tasks]
        for number, task in enumerate(tasks):
            for other in set(task.after):
                self.behind[other].append(number)
        self.free, self.cores = cluster.nodes, cluster.cores
        # What waits, in order; what runs: since when, and on which nodes.
        self.queue = OrderedDict.fromkeys(i for i, waits in enumerate(self.waits) if not waits)
        self.running: dict[int, tuple[float, list[int]]] = {}
        self.outcome = Outcome(attempts=[0] * len(tasks))

    def all(self) -> Outcome:
        rate, ended = len(self.free) / self.cluster.preempted_every, 0
        taken = self.draw.expovariate(rate) if rate else math.inf
        while ended < len(self.tasks):
            self.submit()
            if not self.running:
                raise UserError("jobs wait for one another in a circle")
            if taken < self.ends[0][0]:
                self.now = taken
                self.take_away(self.draw.randrange(len(self.free)))
                taken += self.draw.expovariate(rate)
                continue
            self.now = self.ends[0][0]
            # All that ends now makes room before anything is submitted.
            while self.ends and self.ends[0][0] <= self.now:
                ended += self.end(heapq.heappop(self.ends)[2])
        self.outcome.makespan = self.now
        return self.outcome

    def submit(self) -> None:
        """Start what there is room for, of the jobs that are submitted."""
        for number in list(islice(self.queue, self.cluster.jobs - len(self.running))):
            task = self.tasks[number]
            each = math.ceil(task.gpus / task.nodes)
            # The fullest nodes first, so that others stay whole.
            by_room = sorted((room, n) for n, room in enumerate(self.free) if room >= each > 0)
            nodes = [n for _, n in by_room[: task.nodes]] if each else []
            if task.cores > self.cores or (each and len(nodes) < task.nodes):
                continue
            del self.queue[number]
            for node in nodes:
                self.free[node] -= each
            self.cores -= task.cores
            self.running[number] = (self.now, nodes)
            self.outcome.attempts[number] += 1
            stays = min(task.span(self.left[number]), self.limit(number))
            heapq.heappush(self.ends, (self.now + stays, next(self.order), number))

    def limit(self, number: int) -> float:
        """How long the present attempt may last."""
        limit = self.tasks[number].limit * self.outcome.attempts[number]
        return min(limit, self.cluster.longest)

    def end(self, number: int) -> bool:
        """A job comes to its end, or to that of its time; whether the first."""
        task, (since, _) = self.tasks[number], self.running[number]
        if task.span(self.left[number]) > self.now - since + 1e-6:
            self.cut_off(number, warned=True)
            return False
        self.count(task, self.left[number], self.saved(task, self.left[number]))
        self.give_back(number)
        for other in self.behind[number]:
            self.waits[other] -= 1
            if not self.waits[other]:
                self.queue[other] = None
        return True

    def saved(self, task: Task, left: float) -> float:
        return task.saves(left) * task.saving.cost if task.saving else 0.0

    def take_away(self, node: int) -> None:
        cut = {number for number, (_, nodes) in self.running.items() if node in nodes}
        self.ends = [entry for entry in self.ends if entry[2] not in cut]
        heapq.heapify(self.ends)
        for number in sorted(cut):
            self.cut_off(number, warned=self.cluster.warned)

    def cut_off(self, number: int, *, warned: bool) -> None:
        """A job stops with what it has kept, and is submitted again."""
        task, left = self.tasks[number], self.left[number]
        attempts = self.outcome.attempts[number]
        if attempts >= MOST_ATTEMPTS:
            raise UserError(
                f"{task.step} was begun {attempts:,} times and did not end: it needs "
                f"{task.span(task.work) / 3600:.1f} h, and is cut off before it has saved anything"
            )
        since, _ = self.running[number]
        kept, saving = kept_of(task, left, self.now - since, warned=warned)
        begun = min(self.now - since, task.begin(left))
        lost = self.now - since - begun - saving - kept
        self.left[number] -= kept
        self.count(task, kept, saving, begun, lost)
        self.give_back(number)
        self.queue[number] = None

    def count(
        self, task: Task, work: float, saving: float, begun: float | None = None, lost: float = 0.0
    ) -> None:
        begun = task.begin(work) if begun is None else begun
        self.outcome.work += task.gpus * work
        self.outcome.saving += task.gpus * saving
        self.outcome.starting += task.gpus * begun
        self.outcome.lost += task.gpus * lost

    def give_back(self, number: int) -> None:
        _, nodes = self.running.pop(number)
        task = self.tasks[number]
        for node in nodes:
            self.free[node] += math.ceil(task.gpus / task.nodes)
        self.cores += task.cores


def kept_of(task: Task, left: float, stayed: float, *, warned: bool) -> tuple[float, float]:
    """What is kept of an attempt that was cut off after ``stayed``, and what saving it took."""
    at_work = stayed - task.begin(left)
    saving = task.saving
    if saving is None or at_work <= 0:
        return 0.0, 0.0
    round_ = saving.every + saving.cost
    whole = min(int(at_work / round_ + 1e-9), task.saves(left))
    kept, took = whole * saving.every, whole * saving.cost
    if warned and at_work - kept - took > saving.cost:
        # Work since then, less the time to save it.
        more = min(at_work - kept - took - saving.cost, saving.every, left - kept)
        return kept + more, took + saving.cost
    return kept, took


def longest_chain(tasks: Sequence[Task]) -> list[int]:
    """The jobs, one after another, that take longest by themselves: no cluster ends before them."""
    ends: dict[int, tuple[float, int | None]] = {}
    for number in _in_order(tasks):
        task = tasks[number]
        before = max(task.after, key=lambda other: ends[other][0], default=None)
        so_far = 0.0 if before is None else ends[before][0]
        ends[number] = so_far + task.span(task.work), before
    last: int | None = max(ends, key=lambda number: ends[number][0], default=None)
    found = []
    while last is not None:
        found.append(last)
        last = ends[last][1]
    return found[::-1]


def _in_order(tasks: Sequence[Task]) -> Iterator[int]:
    """Each job after those that it waits for."""
    yield from TopologicalSorter({i: task.after for i, task in enumerate(tasks)}).static_order()


def expected(task: Task, saves: int, every: float) -> float:
    """Mean time of a job that saves so often, at even distances, and is cut off without a warning.

    ``every``: how long its nodes are left alone, on average, where that has no memory. A stretch of
    ``s`` behind a save takes ``e^(r/M) (e^(s/M) - 1) M``, with ``r`` to begin again (Daly 2006).
    """
    saving = task.saving or Saving(math.inf)
    mean, part = every / task.nodes, task.work / (saves + 1)
    if (task.start + saving.read + part + saving.cost) / mean > MOST_LIVES:
        return math.inf
    if not saves:
        return mean * math.expm1((task.start + part) / mean)
    first = math.expm1((task.start + part + saving.cost) / mean)
    again = math.exp((task.start + saving.read) / mean)
    # The last stretch is not saved.
    others = (saves - 1) * math.expm1((part + saving.cost) / mean) + math.expm1(part / mean)
    return mean * (first + again * others)


def worth_saving(task: Task, every: float) -> int:
    """How often it is best to save, by the mean time of the job; 0 if it never ends either way."""
    best, shortest = 0, math.inf
    for saves in range(MOST_SAVES + 1):
        now = expected(task, saves, every)
        if now < shortest:
            best, shortest = saves, now
        elif shortest < math.inf:
            # Till then it needs more saves to end at all.
            break
    return best

"""Early cut-off: which of the jobs that are due must run is learnt while they run.

The workflow engine plans all at once: a job that runs makes all behind it due. Yet one that wrote
the bytes which were there before changes nothing, and those behind it stand. A due job therefore
is *wanted* at once only for a reason of its own; any other is decided when all that it waits for
is, by what it was made from. What is missing is wanted as soon as a job that reads it is, and not
before: a model that was deleted to save space is not trained again for tests that stand.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

J = TypeVar("J", bound=Hashable)


@dataclass
class Decided(Generic[J]):
    """What became known: jobs that must run, jobs that stand, and which of the first had stood."""

    wanted: list[J] = field(default_factory=list)
    standing: list[J] = field(default_factory=list)
    revived: list[J] = field(default_factory=list)


class Cutoff(Generic[J]):
    """The due jobs of a run, and what is known of them.

    Args:
        needs: of each due job, the due jobs that it waits for, with the files it needs of each.
        is_other: whether some of a job's inputs hold other than what it was made from.
        is_changed: whether a job must run, now that all that it waits for is decided.
        is_missing: whether a file is not there.
        together: jobs of one group run in one submission, so that none of them can wait for
            another to be decided; None for a job of its own.
    """

    def __init__(
        self,
        needs: Mapping[J, Mapping[J, Collection[str]]],
        is_other: Callable[[J, Collection[str]], bool],
        is_changed: Callable[[J], bool],
        is_missing: Callable[[str], bool],
        together: Callable[[J], object] = lambda job: None,
    ) -> None:
        self._needs, self._together = needs, together
        self._is_other, self._is_changed, self._is_missing = is_other, is_changed, is_missing
        self._users: dict[J, dict[J, None]] = {job: {} for job in needs}
        for job, makers in needs.items():
            for maker in makers:
                self._users[maker][job] = None
        self._wanted: set[J] = set()
        self._standing: set[J] = set()
        self._started: set[J] = set()
        self._done: set[J] = set()

    def must_run(self, job: J) -> bool:
        """Whether it is known that a job must run; of a job that is not due, it is."""
        return job in self._wanted or job not in self._needs

    def users(self, job: J) -> Iterator[J]:
        """The due jobs that wait for a job."""
        return iter(self._users.get(job, ()))

    def start(self, wanted: Iterable[J]) -> Decided[J]:
        """What is known before anything has run; ``wanted`` run for reasons of their own."""
        decided: Decided[J] = Decided()
        for job in wanted:
            self._want(job, decided)
        self._decide(self._needs, decided)
        return decided

    def begin(self, jobs: Iterable[J]) -> None:
        """These jobs start."""
        self._started.update(jobs)

    def end(self, jobs: Collection[J]) -> Decided[J]:
        """What is known once ``jobs`` have ended well."""
        decided: Decided[J] = Decided()
        self._done.update(jobs)
        behind = dict.fromkeys(user for job in jobs for user in self.users(job))
        for user in behind:
            if user in self._standing and not self._started.isdisjoint(self.users(user)):
                # What reads it has begun with what there is: the next run will see to both.
                continue
            makers = self._needs[user]
            files = [file for job in jobs for file in makers.get(job, ())]
            if user not in self._wanted and self._is_other(user, files):
                self._want(user, decided)
        self._decide(behind, decided)
        return decided

    def _want(self, job: J, decided: Decided[J]) -> None:
        todo = [job]
        while todo:
            now = todo.pop()
            if now in self._wanted or now in self._done:
                continue
            self._wanted.add(now)
            decided.wanted.append(now)
            if now in self._standing:
                self._standing.remove(now)
                decided.revived.append(now)
            todo += [
                m for m, files in self._needs[now].items() if any(map(self._is_missing, files))
            ]
            group = self._together(now)
            todo += [u for u in self.users(now) if group is not None and self._together(u) == group]

    def _decide(self, jobs: Iterable[J], decided: Decided[J]) -> None:
        todo = list(jobs)
        while todo:
            job = todo.pop()
            if job in self._wanted or job in self._standing or job in self._done:
                continue
            if all(m in self._done or m in self._standing for m in self._needs[job]):
                if self._is_changed(job):
                    self._want(job, decided)
                else:
                    self._standing.add(job)
                    decided.standing.append(job)
                    todo += self.users(job)

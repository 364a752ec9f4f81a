"""Which due jobs run, beside a slow reference, on random graphs and in any order of ending."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneatlas.audit.cutoff import Cutoff


@dataclass
class World:
    """Jobs 0 … n-1 with one file each: what each was made from, holds now, and would hold anew."""

    reads: list[list[int]]
    own: set[int]
    missing: set[int]
    ends: set[int]
    # What a job writes if it runs, beside what is there.
    anew: list[bool]
    groups: list[int | None]
    ran: list[int] = field(default_factory=list)

    def due(self) -> set[int]:
        """What the engine plans: all with reasons, all behind them, and what these lack."""
        found = set(self.own) | (self.missing & self.ends)
        while True:
            more = {j for j in range(len(self.reads)) if found.intersection(self.reads[j])}
            more |= {r for j in found for r in self.reads[j] if r in self.missing}
            if more <= found:
                return found
            found |= more


def reference(world: World) -> set[int]:
    """All that must run: with reasons, behind other bytes, and what these lack."""
    runs = set(world.own) | (world.missing & world.ends)
    while True:
        more = {
            j
            for j in range(len(world.reads))
            if any(r in runs and world.anew[r] for r in world.reads[j])
        }
        more |= {r for j in runs for r in world.reads[j] if r in world.missing}
        if more <= runs:
            return runs
        runs |= more


def run(world: World, rng: random.Random) -> list[int]:
    """Start and end jobs in any order that the graph and the cut-off allow."""
    due = world.due()
    missing = set(world.missing)
    needs = {j: {r: [str(r)] for r in world.reads[j] if r in due} for j in due}
    ended: set[int] = set()

    def is_other(job: int, files) -> bool:
        return any(int(f) in ended and world.anew[int(f)] for f in files)

    def is_changed(job: int) -> bool:
        return is_other(job, world.reads[job])

    cutoff = Cutoff(
        needs, is_other, is_changed, lambda f: int(f) in missing, together=lambda j: world.groups[j]
    )
    stands: set[int] = set()
    running: list[int] = []

    def learn(decided) -> None:
        stands.update(decided.standing)
        stands.difference_update(decided.revived)

    learn(cutoff.start(world.own | (world.missing & world.ends)))
    while True:
        waits = ({r for r in needs[j] if r not in ended and r not in stands} for j in due)
        ready = [
            j
            for j, open_ in zip(due, waits, strict=True)
            if not open_ and cutoff.must_run(j) and j not in ended and j not in running
        ]
        if ready and (not running or rng.random() < 0.5):
            job = rng.choice(ready)
            assert not any(r in missing for r in world.reads[job]), "what it reads is not there"
            running.append(job)
            world.ran.append(job)
            cutoff.begin([job])
        elif running:
            job = running.pop(rng.randrange(len(running)))
            ended.add(job)
            missing.discard(job)
            learn(cutoff.end([job]))
        else:
            assert ended | stands == due, "jobs that neither ran nor stand"
            return world.ran


@st.composite
def worlds(draw, grouped: bool = False):
    number = draw(st.integers(2, 9))
    reads = [
        sorted(draw(st.sets(st.integers(0, j - 1), max_size=3))) if j else [] for j in range(number)
    ]
    some = st.sets(st.integers(0, number - 1))
    used = {r for each in reads for r in each}
    return World(
        reads,
        own=draw(some),
        missing=draw(some),
        ends=set(range(number)) - used,
        anew=draw(st.lists(st.booleans(), min_size=number, max_size=number)),
        groups=[draw(st.sampled_from([None, 1, 2])) if grouped else None for _ in range(number)],
    )


def consistent(world: World) -> World:
    """What is made again for no reason of its own is made as it was."""
    changed = set(world.own)
    for job, reads in enumerate(world.reads):
        if any(r in changed and world.anew[r] for r in reads):
            changed.add(job)
        if job not in changed:
            world.anew[job] = False
    return world


@settings(max_examples=400, deadline=None)
@given(worlds(), st.integers(0, 9))
def test_the_jobs_of_the_reference_run_and_no_others(world: World, seed: int):
    world = consistent(world)
    assert sorted(run(world, random.Random(seed))) == sorted(reference(world))


@settings(max_examples=200, deadline=None)
@given(worlds(grouped=True), st.integers(0, 9))
def test_jobs_in_groups_run_at_least_those_of_the_reference(world: World, seed: int):
    world = consistent(world)
    assert set(run(world, random.Random(seed))) >= reference(world)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(0, 9))
def test_steps_that_do_not_repeat_themselves_hang_nothing(world: World, seed: int):
    """A job made again may write other bytes, as on a GPU: none runs twice, none waits for ever."""
    ran = run(world, random.Random(seed))
    assert len(ran) == len(set(ran))

"""Jobs on a cluster end when a clock that ticks says so, and lose what the books say."""

import math
import random
import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.errors import UserError
from tuneatlas.sizing.events import (
    Cluster,
    Saving,
    Task,
    expected,
    kept_of,
    longest_chain,
    simulate,
    worth_saving,
)


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    """Up to eight jobs of whole seconds, each behind some of those before it."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        after = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        gpus = draw(st.integers(0, 4))
        work, start = draw(st.integers(0, 5)), draw(st.integers(1, 2))
        tasks.append(Task(f"step{number}", start, work, tuple(after), gpus, 1, int(not gpus)))
    return tasks


def ticked(tasks: list[Task], cluster: Cluster) -> int:
    """When all have ended, told by looking every second; one node, and nothing is taken away."""
    left = {n: round(task.start + task.work) for n, task in enumerate(tasks)}
    waits = {n: set(task.after) for n, task in enumerate(tasks)}
    queue = [n for n in waits if not waits[n]]
    running: list[int] = []
    now = 0
    while left:
        for n in queue[: cluster.jobs - len(running)]:
            gpus = sum(tasks[m].gpus for m in running) + tasks[n].gpus
            cores = sum(tasks[m].cores for m in running) + tasks[n].cores
            if gpus <= cluster.gpus and cores <= cluster.cores:
                running.append(n)
        queue = [n for n in queue if n not in running]
        now += 1
        for n in running:
            left[n] -= 1
        for n in [n for n in running if not left[n]]:
            running.remove(n)
            del left[n]
            for m, others in waits.items():
                if n in others:
                    others.remove(n)
                    if not others:
                        queue.append(m)
    return now


def span(tasks: list[Task], cluster: Cluster) -> float:
    return simulate(tasks, cluster, random.Random(0)).makespan


@given(graphs(), st.integers(4, 9), st.integers(1, 3), st.integers(1, 4))
def test_events_end_when_a_clock_says_so(tasks, gpus, cores, jobs):
    cluster = Cluster(gpus, cores, per_node=16, jobs=jobs)
    assert span(tasks, cluster) == pytest.approx(ticked(tasks, cluster))


@given(graphs())
def test_one_job_at_a_time_takes_the_sum_and_room_for_all_the_longest_chain(tasks):
    alone = sum(task.start + task.work for task in tasks)
    assert span(tasks, Cluster(8, 8, jobs=1)) == pytest.approx(alone)
    chain = sum(tasks[n].start + tasks[n].work for n in longest_chain(tasks))
    assert span(tasks, Cluster(64, 64)) == pytest.approx(chain)
    chosen = longest_chain(tasks)
    assert all(first in tasks[second].after for first, second in pairwise(chosen))


SAVED = st.builds(Saving, st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))


@given(
    graphs(), st.lists(st.none() | SAVED, min_size=8, max_size=8), st.booleans(), st.integers(0, 9)
)
def test_all_time_is_accounted_for(tasks, savings, warned, seed):
    tasks = [replace(task, saving=s) for task, s in zip(tasks, savings, strict=False)]
    cluster = Cluster(8, 8, per_node=4, preempted_every=12.0, warned=warned)
    found = simulate(tasks, cluster, random.Random(seed))
    assert found.work == pytest.approx(sum(task.gpus * task.work for task in tasks))
    assert min(found.starting, found.saving, found.lost + 1e-9) >= 0
    assert found.makespan + 1e-6 >= sum(
        tasks[n].start + tasks[n].work for n in longest_chain(tasks)
    )
    assert found.busy <= 8 * found.makespan + 1e-6
    again = simulate(tasks, cluster, random.Random(seed))
    assert (again.makespan, again.attempts) == (found.makespan, found.attempts)


@given(st.floats(0, 50), st.floats(0.5, 60), SAVED, st.booleans(), st.floats(0.01, 1))
def test_no_more_is_kept_than_there_was_time_for(stayed, work, saving, warned, share):
    task = Task("finetune", 3.0, work, saving=saving)
    left = share * work
    stayed = min(stayed, task.span(left))
    kept, took = kept_of(task, left, stayed, warned=warned)
    assert 0 <= kept <= left + 1e-6
    assert kept + took <= max(0.0, stayed - task.begin(left)) + 1e-6
    told, _ = kept_of(task, left, stayed, warned=True)
    unsaved = stayed - task.begin(left) - told - task.saves(left) * saving.cost
    assert told + 1e-6 >= kept_of(task, left, stayed, warned=False)[0]
    assert unsaved <= saving.cost + 1e-6 or told == pytest.approx(left)


def mean_of(task: Task, every: float, times: int = 300) -> tuple[float, float]:
    """Mean time of a job alone on a node, and its standard error."""
    cluster = Cluster(1, 1, preempted_every=every)
    spans = [simulate([task], cluster, random.Random(seed)).makespan for seed in range(times)]
    return statistics.mean(spans), statistics.stdev(spans) / math.sqrt(times)


@pytest.mark.parametrize("saves", [0, 1, 4, 19])
def test_a_job_takes_as_long_as_the_exact_mean_says(saves: int):
    task = Task("finetune", 2.0, 60.0, gpus=1, saving=Saving(60.0 / (saves + 1), 1.5, 3.0))
    assert task.saves(task.work) == saves
    mean, error = mean_of(task, 50.0)
    assert abs(mean - expected(task, saves, 50.0)) < 4 * error


@pytest.mark.parametrize(("cost", "every"), [(1.0, 5000.0), (4.0, 20_000.0)])
def test_the_best_distance_of_checkpoints_is_that_of_young_and_daly(cost: float, every: float):
    task = Task("pretrain_syntax", 10.0, 20_000.0, gpus=1, saving=Saving(1.0, cost, cost))
    best = worth_saving(task, every)
    young = math.sqrt(2 * cost * every)
    assert task.work / (best + 1) == pytest.approx(young, rel=0.1)
    # And runs say so: with a fourth and four times as many more is lost.
    means = {}
    for saves in (best // 4, best, 4 * best):
        saved = replace(task, saving=Saving(task.work / (saves + 1), cost, cost))
        means[saves] = mean_of(saved, every, 60)[0]
    assert min(means, key=means.__getitem__) == best


def test_a_job_of_a_thousand_lives_is_worth_saving_often():
    """Saved once or twice it never ends; of a start longer than any life there is no best."""
    task = Task("finetune", 1.0, 50_000.0, gpus=1, saving=Saving(1.0, 1.0, 1.0))
    assert expected(task, 1, 50.0) == math.inf
    assert task.work / (worth_saving(task, 50.0) + 1) == pytest.approx(10, rel=0.2)
    assert worth_saving(replace(task, start=1e6), 50.0) == 0


def test_what_is_cut_off_before_it_saved_anything_is_named():
    task = Task("finetune", 10.0, 100.0, gpus=1, limit=60.0)
    grows = Cluster(8, 1, longest=200.0)
    assert simulate([task], grows, random.Random(0)).attempts == [2]
    with pytest.raises(UserError, match="finetune was begun 5,000 times and did not end"):
        simulate([task], replace(grows, longest=100.0), random.Random(0))
    saves = replace(task, saving=Saving(600.0))
    assert simulate([saves], replace(grows, longest=60.0), random.Random(0)).attempts == [2]


def test_a_job_on_two_nodes_takes_whole_nodes_that_are_free():
    small, large = Task("small", 1.0, 1.0, gpus=1), Task("large", 1.0, 1.0, gpus=16, nodes=2)
    assert span([small, large], Cluster(16, 1)) == 4.0
    assert span([small, large], Cluster(24, 1)) == 2.0
    with pytest.raises(UserError, match="large asks for 16 GPUs on 2 nodes"):
        span([large], Cluster(8, 1))

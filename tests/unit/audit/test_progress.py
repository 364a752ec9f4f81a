"""A run is told as it is: what is done, at work, failed, waiting for what; and how long yet."""

import json
import os
import time
from base64 import urlsafe_b64encode
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from tests.examples import ROOT
from tuneatlas.audit.progress import (
    BEGUN,
    LOCKS,
    AtWork,
    Progress,
    Watcher,
    _engine_name,
    expected_seconds,
    seconds_left,
    waiting_for,
)
from tuneatlas.cli import main, watch
from tuneatlas.cli.watch import page, told
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.records import record_path

STEPS = ("probe", "finetune", "finetune", "evaluate", "evaluate", "report")
NEEDS = ((), (0,), (0,), (1,), (2,), (3, 4))


def jobs(due: bool = True) -> list[Job]:
    """A probe, two trainings behind it, an evaluation of each, and a report."""
    return [
        Job(
            step,
            {"seed": str(n)},
            tuple(f"results/{m}" for m in needs),
            (f"results/{n}",),
            {},
            {},
            due=due or not n,
            script="workflow/scripts/step.py",
            log=f"logs/{n}.log",
        )
        for n, (step, needs) in enumerate(zip(STEPS, NEEDS, strict=True))
    ]


def make(folder: Path, number: int, wall_s: float = 10.0) -> None:
    place = folder / f"results/{number}"
    place.parent.mkdir(exist_ok=True)
    place.touch()
    record = {
        **{"output": f"results/{number}", "sha256": "0" * 64, "step": STEPS[number]},
        **{key: {} for key in ("wildcards", "inputs", "options", "code", "libraries")},
        "wall_s": wall_s,
    }
    record_path(place).write_text(json.dumps(record))


def say(folder: Path, number: int, *lines: str, ago: float = 30.0) -> None:
    path = folder / f"logs/{number}.log"
    path.parent.mkdir(exist_ok=True)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - ago))
    path.write_text("".join(f"{at},123 INFO tuneatlas.x {line}\n" for line in lines))


def begin(folder: Path, number: int, external_jobid: str | None = None, ago: float = 20.0) -> None:
    """As the engine marks what it begins."""
    name = urlsafe_b64encode(f"results/{number}".encode()).decode()
    path = folder / BEGUN / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"external_jobid": external_jobid}))
    os.utime(path, (time.time() - ago,) * 2)


def test_a_job_is_found_where_the_engine_notes_it_however_long_its_name_is(tmp_path: Path):
    persistence = SimpleNamespace(_fetch_max_len=lambda subject: 255)
    for name in ("results/a", f"results/{'long/' * 50}", "x" * 190, "x" * 191):
        noted = FilePersistence._record_path(persistence, str(tmp_path), name)
        assert tmp_path.joinpath(*_engine_name(name)) == Path(noted)


def lock(folder: Path, ago: float = 60.0) -> None:
    path = folder / LOCKS / "0.input.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - ago,) * 2)


def test_each_job_is_where_its_files_say(tmp_path: Path):
    planned = time.time() - 120
    make(tmp_path, 0)
    watcher = Watcher(jobs(), tmp_path, planned)
    assert watcher.look().done == {0} and not watcher.seen.running
    # What a run before left in its log is not at work, nor is anything without a run.
    say(tmp_path, 1, "start", "step 20 of 48, loss 1.500, 28 s left")
    assert not watcher.look().at_work
    lock(tmp_path)
    say(tmp_path, 2, "start")
    os.utime(tmp_path / "logs/2.log", (planned, planned))
    found = watcher.look()
    assert found.running and list(found.at_work) == [1]
    assert found.at_work[1].left == 28 and 29 < found.at_work[1].seconds < 40
    (tmp_path / "logs/2.failed").touch()
    say(tmp_path, 2, "start", "the GPU is too small")
    found = watcher.look()
    assert found.failed == {2: "the GPU is too small; see logs/2.log"}
    say(tmp_path, 1, "start", "done in 33.0 s")
    make(tmp_path, 1, 33.0)
    found = watcher.look()
    assert found.done == {0, 1} and found.took == {0: 10.0, 1: 33.0} and not found.at_work
    assert dict(waiting_for(jobs(), found)) == {
        3: Counter(),
        4: Counter(["finetune"]),
        5: Counter(["evaluate", "evaluate"]),
    }


def test_a_job_that_has_said_nothing_yet_is_at_work_once_the_engine_began_it(tmp_path: Path):
    """Its log is opened when its libraries are loaded; what waits in a queue is not begun."""
    watcher = Watcher(jobs(), tmp_path, time.time() - 120)
    lock(tmp_path)
    begin(tmp_path, 1)
    begin(tmp_path, 2, external_jobid="4711")
    begin(tmp_path, 3, ago=90)
    found = watcher.look()
    assert list(found.at_work) == [1] and found.at_work[1].said == "begins"
    assert 19 < found.at_work[1].seconds < 30
    # From an earlier run there is a log, which this one has not opened yet.
    say(tmp_path, 1, "start", "done in 3.0 s")
    os.utime(tmp_path / "logs/1.log", (time.time() - 90,) * 2)
    assert list(watcher.look().at_work) == [1]
    say(tmp_path, 1, "start", ago=10)
    assert watcher.look().at_work[1].said == "start"


def test_what_was_not_due_is_done_and_what_was_made_before_is_not(tmp_path: Path):
    make(tmp_path, 0, 7.0)
    make(tmp_path, 1)
    found = Watcher(jobs(), tmp_path, time.time() + 60).look()
    assert found.done == set()
    first, *rest = jobs()
    stands = Job(**{**vars(first), "due": False})
    found = Watcher([stands, *rest], tmp_path, time.time() + 60).look()
    assert found.done == {0} and found.took == {0: 7.0}


def test_jobs_take_as_long_for_their_size_as_those_of_their_step_took():
    sizes = [10.0, 100.0, 200.0, 4.0, 8.0, 1.0]
    found = expected_seconds(jobs(), sizes, {0: 20.0, 1: 50.0})
    assert found[2] == pytest.approx(100)
    # Of other steps by all that is done: 70 s for a size of 110.
    assert found[4] == pytest.approx(8 * 70 / 110)
    assert expected_seconds(jobs(), sizes, {}) == sizes


def test_the_rest_takes_its_longest_chain_in_as_many_lanes_as_were_seen():
    seconds = [10.0, 60.0, 60.0, 5.0, 5.0, 1.0]
    one = Progress(done={0, 1}, running=True)
    assert seconds_left(jobs(), one, seconds) == pytest.approx(60 + 5 + 5 + 1)
    two = Progress(done={0}, at_work={1: AtWork(20, "start"), 2: AtWork(1, "30 s left")})
    assert seconds_left(jobs(), two, seconds) == pytest.approx(40 + 5 + 1)
    # One that ended just now leaves its place to another.
    between = Progress(done={0}, most=2)
    assert seconds_left(jobs(), between, seconds) == pytest.approx(60 + 5 + 1)
    late = Progress(done={0, 1, 2, 3, 4}, at_work={5: AtWork(99, "start")})
    assert seconds_left(jobs(), late, seconds) == 1


def test_the_page_says_all_of_it():
    progress = Progress(
        done={0}, at_work={1: AtWork(65, "step 2 of 9")}, failed={2: "see logs/2.log"}, running=True
    )
    text = "\n".join(page("mine", jobs(), progress, [60.0] * 6, every=False))
    assert "mine: 1 of 6 jobs done, 1 at work, 3 wait, 1 failed; about " in text
    assert "  finetune 1: 65 s of about 60 s; step 2 of 9" in text
    assert "  evaluate (2): 2 for finetune" in text and "  report (1): 1 for evaluate" in text
    assert "Failed:\n  finetune 2: see logs/2.log" in text
    every = "\n".join(page("mine", jobs(), progress, [60.0] * 6, every=True))
    assert "  report 5: for 2 of evaluate" in every
    assert "No run is at work here" in "\n".join(
        page("mine", jobs(), Progress(done={0}), [1.0] * 6, every=False)
    )
    assert page("mine", jobs(), Progress(done=set(range(6))), [1.0] * 6, every=False)[0] == (
        "mine: 6 of 6 jobs done, 0 at work, 0 wait, 0 failed"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (89.6, "90 s"), (725, "12 min"), (11_100, "3 h 5 min"), (187_200, "2 d 4 h")],
)
def test_times_are_told_as_people_do(seconds: float, text: str):
    assert told(seconds) == text


def test_the_command_looks_once_where_asked(tmp_path: Path, monkeypatch, capsys):
    config = tmp_path / "nowhere.yaml"
    config.write_text(f"include: {ROOT / 'config/smoke.yaml'}\nname: watched-nowhere\n")
    monkeypatch.setattr(watch, "read_plan", lambda root, configs, folder: jobs())
    assert main(["watch", "--once", "--root", str(ROOT), "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "watched-nowhere: 0 of 6 jobs done" in said and "No run is at work here" in said
    # A run that was to make a part is watched for this part.
    assert main(["watch", "--once", "--root", str(ROOT), "--config", str(config), "finetune"]) == 0
    assert "watched-nowhere: 0 of 3 jobs done" in capsys.readouterr().out

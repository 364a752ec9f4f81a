"""Run the smallest experiment through Slurm while all kinds of faults happen, and compare.

    python tests/slurm/faults.py --faults 30 [--pause 30] [--seed 0] [--folder DIR]
        [--undisturbed RESULTS] [--scattered]

Faults come at random instants from a seeded generator: a job cancelled, a training process
killed, a node's daemon killed and brought back, the driver killed and started again, a job's
time limit cut to nothing, the controller restarted. Where an experiment ends before the
faults do, it is run again from its base model on, in the same folder. In the end all results
are compared, byte by byte, with those of an undisturbed run on this machine. With --scattered it is
study S1 alone, whose models are asked in shards, and whose tuned weights go when they are measured.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.slurm.sandbox import CONFIG, ask, cluster, start, until
from tests.workflow.compare_results import contents, differences
from tests.workflow.finished_run import copy_project
from tests.workflow.finished_run import run as run_locally

NODES = ("c1", "g1", "g2")
SCATTERED = """
include: smoke.yaml
probe_knowledge: {shards: 2}
explain_predictions: {shards: 2, seeding: batch}
evaluate_knowledge: {shards: 3}
finetune: {keep: until measured}
"""


def jobs_of(project: Path, *states: str) -> list[str]:
    """Numbers of the project's jobs."""
    lines = ask("squeue", "-h", "-o", "%A|%Z", *(f"--states={s}" for s in states)).splitlines()
    found = (line.split("|") for line in lines)
    return [job for job, folder in found if Path(folder) == project]


def scripts(project: Path) -> list[int]:
    """Processes of the workflow's steps."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                here = (entry / "cwd").resolve() == project
                if here and ".snakemake/scripts/" in words and "python" in words.split("\0")[0]:
                    found.append(int(entry.name))
    return found


class Faults:
    """What can go wrong; each returns whether there was anything to disturb."""

    def __init__(self, project: Path, rng: random.Random, config: str, target: str) -> None:
        self.project, self.rng, self.config, self.target = project, rng, config, target
        self.driver = self.start()
        self.kinds: dict[str, Callable[[], bool]] = {
            "scancel": self.cancel,
            "kill -9 of a step's process": self.kill_process,
            "slurmd killed and brought back": self.lose_node,
            "driver killed and started again": self.kill_driver,
            "time limit hit": self.end_time,
            "slurmctld restarted": self.restart_controller,
        }

    def start(self) -> subprocess.Popen[str]:
        """A driver."""
        return start(self.project, "--", self.target, config=self.config)

    def cancel(self) -> bool:
        """A job is cancelled by hand."""
        jobs = jobs_of(self.project, "R")
        return bool(jobs) and ask("scancel", self.rng.choice(jobs)) == ""

    def kill_process(self) -> bool:
        """The process of a step dies without a word."""
        try:
            until(lambda: scripts(self.project), 60, "step at work")
        except TimeoutError:
            return False
        pids = scripts(self.project)
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.rng.choice(pids), signal.SIGKILL)
        return True

    def lose_node(self) -> bool:
        """A node's daemon dies; it is back at once, or after the controller gave the node up."""
        node = self.rng.choice(NODES)
        cluster("stop", f"slurmd.{node}")
        time.sleep(self.rng.choice((1, 25)))
        return cluster("start", f"slurmd.{node}").returncode == 0

    def kill_driver(self) -> bool:
        """The driver dies; its jobs, which nobody waits for now, are cancelled; it starts again."""
        self.driver.kill()
        self.driver.wait()
        ask("scancel", *jobs_of(self.project))
        until(lambda: not jobs_of(self.project), 120, "end of the jobs")
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--profile=profiles/slurm",
             f"--configfile={self.config}", "--unlock"],
            cwd=self.project,
            env=os.environ | {"PYTHONPATH": str(self.project / "src")},
            capture_output=True,
            check=True,
        )  # fmt: skip
        self.driver = self.start()
        return True

    def end_time(self) -> bool:
        """A job's time is over."""
        jobs = jobs_of(self.project, "R")
        if not jobs:
            return False
        job = self.rng.choice(jobs)
        return ask("scontrol", "update", f"jobid={job}", "timelimit=0:01") == ""

    def restart_controller(self) -> bool:
        """The controller dies and comes back."""
        cluster("stop", "slurmctld")
        time.sleep(self.rng.uniform(0, 10))
        return cluster("start", "slurmctld").returncode == 0


def disturb(faults: Faults, count: int, pause_s: float) -> Counter[str]:
    """Make ``count`` faults happen, then let the run end; the tally."""
    project, rng = faults.project, faults.rng
    tally: Counter[str] = Counter()
    runs = 1
    while sum(tally.values()) < count:
        time.sleep(rng.uniform(0.1, 1.9) * pause_s)
        if faults.driver.poll() is not None:
            # It is through, or gave up on a job that had bad luck too often: on with it.
            if faults.driver.returncode == 0:
                for name in again(project):
                    shutil.rmtree(project / "results" / name)
            runs += 1
            faults.driver = faults.start()
            continue
        # The rarest so far, if there is anything for it to disturb.
        kinds = sorted(faults.kinds, key=lambda kind: (tally[kind], rng.random()))
        kind = next(kind for kind in kinds if faults.kinds[kind]())
        tally[kind] += 1
        print(f"{time.strftime('%X')} {sum(tally.values())}/{count} {kind}", flush=True)
    while faults.driver.wait() != 0:
        runs += 1
        if runs > count + 5:
            raise SystemExit(f"the driver does not get through; see {project}/driver.log")
        faults.driver = faults.start()
    print(f"{runs} drivers ended by themselves")
    return tally


def again(project: Path) -> list[str]:
    """Results to make once more: all but what is fetched or prepared."""
    kept = ("fetch_source", "prepare_questions", "prepare_corpus")
    return [p.name for p in (project / "results").iterdir() if p.name not in kept]


def copied(folder: Path) -> Path:
    """A copy of the project, with both experiments."""
    (copy_project(folder) / "config/scattered.yaml").write_text(SCATTERED)
    return folder


def main() -> None:
    """Run, disturb, compare; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument(
        "--pause", type=float, default=30, help="seconds between faults, on average"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/tuneatlas-faults"))
    parser.add_argument("--undisturbed", type=Path, help="results of an undisturbed run")
    parser.add_argument("--scattered", action="store_true", help="S1 in shards, weights let go")
    options = parser.parse_args()
    config, target = ("config/scattered.yaml", "s1") if options.scattered else (CONFIG, "all")
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    began = cluster("up")
    if began.returncode:
        raise SystemExit(f"no Slurm here: {began.stderr.strip()}")
    expected = options.undisturbed
    if expected is None:
        quiet = copied(folder / "undisturbed")
        done = run_locally(quiet, "--", target, config=config)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        expected = quiet / "results"
    project = copied(folder / "disturbed")
    started = time.monotonic()
    faults = Faults(project, random.Random(options.seed), config, target)
    tally = disturb(faults, options.faults, options.pause)
    for kind, number in sorted(tally.items()):
        print(f"{number:4d} {kind}")
    print(f"{sum(tally.values()):4d} faults in {(time.monotonic() - started) / 60:.0f} min")
    left = [p for p in (project / "results").rglob(".*") if p.name != ".snakemake_timestamp"]
    found = differences(expected, project / "results")
    found += [f"left behind: {path}" for path in left]
    print("\n".join(found) or f"{len(contents(expected))} files, all equal; nothing left behind")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()

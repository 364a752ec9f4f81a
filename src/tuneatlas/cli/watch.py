"""``tuneatlas watch``: a whole run on one page of a terminal, and when it will be done."""

import argparse
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.audit.progress import (
    Progress,
    Watcher,
    expected_seconds,
    seconds_left,
    waiting_for,
)
from tuneatlas.audit.reasons import in_order, needs_of, restricted
from tuneatlas.cli.size import aligned
from tuneatlas.config.load import DEFAULT_CONFIG, load_config
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.jobs import Job, read_plan
from tuneatlas.errors import UserError
from tuneatlas.sizing.sheet import device_named, study_of
from tuneatlas.sizing.tasks import task_of
from tuneatlas.terminal import say

# Home of the cursor, and all below it cleared.
CLEAR = "\x1b[H\x1b[J"
BAR = 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "--config", type=Path, action="append", help="the experiment (default: config/config.yaml)"
    )
    parser.add_argument(
        "target", nargs="?", metavar="TARGET", help="a file or a step (default: everything)"
    )
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks")
    parser.add_argument("--once", action="store_true", help="look once, and end")
    parser.add_argument("--all", action="store_true", help="each job that waits on a line")
    parser.add_argument("--device", default="a100-80", help="by what sizes of jobs are reckoned")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Show the page until the run has ended."""
    configs = options.config or [options.root / DEFAULT_CONFIG]
    experiment = load_config(*configs, root=options.root)
    folder, planned = working_folder(configs, options.root), time.time()
    jobs = read_plan(options.root, configs, folder)
    if options.target:
        jobs = restricted(jobs, options.target)
    try:
        study = study_of(experiment, options.root, device_named(options.device, None))
        tasks = [task_of(study.whole(job), study) for job in jobs]
        sizes = [task.span(task.work) for task in tasks]
    except UserError:
        # A model of unknown size: its jobs are as large as others.
        sizes = [1.0] * len(jobs)
    watcher = Watcher(jobs, folder, planned)
    while True:
        progress = watcher.look()
        seconds = expected_seconds(jobs, sizes, progress.took)
        lines = page(experiment.name, jobs, progress, seconds, every=options.all)
        if options.once or not sys.stdout.isatty():
            say("\n".join(lines))
        else:
            size = shutil.get_terminal_size()
            shown = [line[: size.columns] for line in lines[: size.lines - 1]]
            sys.stdout.write(CLEAR)
            say("\n".join(shown))
        if options.once or not progress.running or len(progress.done) == len(jobs):
            return 0
        time.sleep(max(0.5, options.every))


def page(
    name: str, jobs: Sequence[Job], progress: Progress, seconds: Sequence[float], *, every: bool
) -> list[str]:
    """The page: how far all is, each step, what is at work, what waits for what, what failed."""
    counts = (len(progress.done), len(progress.at_work), len(progress.failed))
    done, at_work, failed = counts
    waits = list(waiting_for(jobs, progress))
    lines = [
        f"{name}: {done:,} of {len(jobs):,} jobs done, {at_work:,} at work, {len(waits):,} wait, "
        f"{failed:,} failed"
    ]
    if done < len(jobs):
        left = seconds_left(jobs, progress, seconds)
        until = time.strftime("%a %H:%M", time.localtime(time.time() + left))
        lines[0] += f"; about {told(left)} to go, until {until}"
        if not progress.running:
            lines.append("No run is at work here: make run starts one, or goes on with it.")
    return [
        *lines,
        "",
        *_steps(jobs, progress),
        *_at_work(jobs, progress, seconds),
        *_waiting(jobs, waits, every),
        *_failed(jobs, progress),
    ]


def _steps(jobs: Sequence[Job], progress: Progress) -> list[str]:
    rows = [("step", "", "done", "at work", "of")]
    of = Counter(job.step for job in in_order(needs_of(jobs)))
    done = Counter(jobs[number].step for number in progress.done)
    now = Counter(jobs[number].step for number in progress.at_work)
    for step, count in of.items():
        full = BAR * done[step] // count
        bar = "#" * full + "." * (BAR - full)
        rows.append((step, bar, f"{done[step]:,}", f"{now[step]:,}", f"{count:,}"))
    return aligned(rows)


def _at_work(jobs: Sequence[Job], progress: Progress, seconds: Sequence[float]) -> list[str]:
    if not progress.at_work:
        return []
    found = [
        f"  {jobs[number]}: {told(job.seconds)} of about {told(seconds[number])}; {job.said}"
        for number, job in progress.at_work.items()
    ]
    return ["", "At work:", *found]


def _waiting(
    jobs: Sequence[Job], waits: Sequence[tuple[int, Counter[str]]], every: bool
) -> list[str]:
    if not waits:
        return []
    if every:
        found = [f"  {jobs[number]}: {_named(steps)}" for number, steps in waits]
        return ["", "Wait:", *found]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for number, steps in waits:
        counts[jobs[number].step].update(steps.keys() or ["room"])
    number_of = Counter(jobs[number].step for number, _ in waits)
    rows = [
        f"  {step} ({number_of[step]:,}): "
        + ", ".join(f"{count:,} for {other}" for other, count in others.items())
        for step, others in counts.items()
    ]
    return ["", "Wait, jobs for what:", *rows]


def _named(steps: Counter[str]) -> str:
    each = (f"{count} of {step}" if count > 1 else step for step, count in steps.items())
    return "for " + (", ".join(each) or "room")


def _failed(jobs: Sequence[Job], progress: Progress) -> list[str]:
    found = [f"  {jobs[number]}: {why}" for number, why in progress.failed.items()]
    return ["", "Failed:", *found] if found else []


def told(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 5 min`` or ``2 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"

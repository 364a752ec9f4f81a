"""``tuneatlas why``: which jobs would a run execute now, and because of what."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tuneatlas.audit.lineage import Results, holds_records, left_out, read_results
from tuneatlas.audit.reasons import Reasons, reasons, restricted
from tuneatlas.audit.sharing import offers
from tuneatlas.config.load import DEFAULT_CONFIG
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.accepted import acceptances
from tuneatlas.engine.jobs import Job, read_plan
from tuneatlas.engine.run_folders import others_of
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "target", nargs="?", metavar="TARGET", help="a file or a step (default: everything)"
    )
    parser.add_argument(
        "--config", type=Path, action="append", help="the experiment (default: config/config.yaml)"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--json", action="store_true", help="print jobs and reasons as JSON")


def run(options: argparse.Namespace) -> int:
    """Say what would run; 0 in any case."""
    configs = options.config or [options.root / DEFAULT_CONFIG]
    root = working_folder(configs, options.root)
    jobs = read_plan(options.root, configs, root)
    if options.target:
        jobs = restricted(jobs, options.target)
    folder = root / "results"
    results = read_results(folder, root) if holds_records(folder) else Results(folder, root)
    print(left_out(results), end="", file=sys.stderr)
    accepted = list(accepted_of(jobs, results))
    if options.json:
        found = {str(reason.job): list(reason.own) for reason in reasons(jobs, results)}
        due = [str(job) for job in jobs if job.due]
        say(json.dumps({"jobs": found, "engine": due, "accepted": accepted}))
        return 0
    for line in told(jobs, reasons(jobs, results), bool(options.target)):
        say(line)
    others = [root / other for other in others_of(root, options.root)]
    if taken := offers(jobs, results, others):
        folders = ", ".join(dict.fromkeys(os.path.relpath(o.source, options.root) for o in taken))
        say(f"Of these {len(taken)} would be taken from {folders}, where they were made alike.")
    for line in accepted:
        say(f"accepted: {line}")
    return 0


def accepted_of(jobs: list[Job], results: Results) -> Iterator[str]:
    """The changes of code that were accepted for outputs of these jobs."""
    names = (name for job in jobs for name in job.outputs if name in results.records)
    return acceptances(results.records[name] for name in names)


def told(jobs: list[Job], found: list[Reasons], part: bool) -> Iterator[str]:
    """The reasons in words; jobs that run for the same reason are told together."""
    for reason in found:
        yield f"{reason.job}"
        for text in reason.own:
            yield f"    {text}"
        if reason.after:
            names = [str(job) for job in reason.after]
            yield f"    after {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"
    steps: dict[str, int] = {}
    for reason in found:
        steps[reason.job.step] = steps.get(reason.job.step, 0) + 1
    counted = ", ".join(f"{step} {number}" for step, number in steps.items())
    if found:
        yield f"{len(found)} of {len(jobs)} jobs would run: {counted}."
        if any(reason.after and not reason.own for reason in found):
            yield "What only comes after others stands where these write what they wrote before."
    else:
        yield f"Nothing would run: all {len(jobs)} jobs stand."
    if not part:
        yield from _disagreement(jobs, found)


def _disagreement(jobs: list[Job], found: list[Reasons]) -> Iterator[str]:
    """Where the workflow engine's own memory says otherwise than the records."""
    due = {reason.job for reason in found}
    more = [str(job) for job in jobs if job.due and job not in due]
    if more:
        yield f"The workflow engine would also run {len(more)} jobs whose inputs have the same "
        yield f"content as before: {', '.join(more[:6])}{' …' if len(more) > 6 else ''}"

"""``tuneatlas simulate``: an experiment on clusters of several sizes, before it runs."""

import argparse
import math
from pathlib import Path

from tuneatlas.cli.size import aligned
from tuneatlas.config.load import load_config
from tuneatlas.errors import UserError
from tuneatlas.sizing.clusters import at_a_time, checkpoints, table
from tuneatlas.sizing.events import Cluster
from tuneatlas.sizing.host import LONGEST_MIN
from tuneatlas.sizing.sheet import device_named, lines_of, study_of
from tuneatlas.terminal import say

HOUR_S = 3600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="config files")
    parser.add_argument(
        "--gpus", nargs="+", type=_count, default=[1, 8, 64, 512], help="GPUs in all: a line each"
    )
    parser.add_argument("--per-node", type=_count, default=8, help="GPUs of a node")
    parser.add_argument("--cores", type=_count, default=128, help="for the steps without a GPU")
    parser.add_argument(
        "--jobs", type=_count, help="jobs submitted at a time (default: as profiles/slurm says)"
    )
    parser.add_argument(
        "--preempted-every",
        type=_hours,
        default=math.inf,
        metavar="HOURS",
        help="how long a node is left alone, on average (default: for ever)",
    )
    parser.add_argument(
        "--warned", action="store_true", help="jobs are told in time to save what they have done"
    )
    parser.add_argument(
        "--times", type=_count, default=20, help="runs to take the mean and the range of"
    )
    parser.add_argument("--device", default="a100-80", help="what it is to run on")
    parser.add_argument("--share", type=float, help="share of the device's peak that is reached")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not hours > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hours above 0")
    return hours


def run(options: argparse.Namespace) -> int:
    """Do what was asked; return the exit code."""
    experiment = load_config(*options.files, root=options.root)
    device = device_named(options.device, options.share)
    study = study_of(experiment, options.root, device)
    lines = lines_of(study, options.files)
    jobs = [job for line in lines for job in line.jobs]
    if unknown := sorted({line.step for line in lines if line.need is None}):
        raise UserError(
            f"{experiment.name}: nothing says how long {', '.join(unknown)} takes: simulate a "
            "config without"
        )
    every = HOUR_S * options.preempted_every
    clusters = [
        Cluster(
            gpus=gpus,
            cores=options.cores,
            per_node=options.per_node,
            jobs=options.jobs or at_a_time(options.root),
            preempted_every=every,
            warned=options.warned,
            longest=60.0 * LONGEST_MIN,
        )
        for gpus in options.gpus
    ]
    rows, notes = table(study, jobs, clusters, options.times)
    say("\n".join(aligned(rows)))
    device_said = f"{device.name}, at {device.share:.0%} of its peak"
    say(f"\n{experiment.name}: {len(jobs)} jobs on {device_said}.\n" + "\n".join(notes))
    if math.isfinite(every) and len(saved := checkpoints(study, jobs, every)) > 1:
        said = "\n".join(aligned(saved))
        say(f"\nCheckpoints, a node being left alone for {options.preempted_every:g} h:\n\n{said}")
    return 0

"""``tuneatlas size``: memory, steps, GPU-hours and storage of an experiment, before it runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.config.load import load_config
from tuneatlas.config.naming import working_folder
from tuneatlas.errors import UserError
from tuneatlas.sizing.page import outdated, write_plans
from tuneatlas.sizing.sheet import (
    compared,
    device_named,
    lines_of,
    refuse_misfits,
    study_of,
    summary,
    table,
)
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="config files")
    parser.add_argument("--device", default="a100-80", help="what it is to run on")
    parser.add_argument("--share", type=float, help="share of the device's peak that is reached")
    parser.add_argument("--compare", action="store_true", help="beside what the jobs that ran took")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )
    parser.add_argument("--write", action="store_true", help="write docs/plans.md")
    parser.add_argument("--check", action="store_true", help="fail if it is out of step")


def run(options: argparse.Namespace) -> int:
    """Do what was asked; return the exit code."""
    if options.write:
        print(f"wrote {write_plans(options.root)}")
        return 0
    if options.check:
        if outdated(options.root):
            raise UserError("docs/plans.md is out of step with the configs; run 'make plans'")
        return 0
    if not options.files:
        raise UserError("tuneatlas size: name a config file, or say --write or --check")
    experiment = load_config(*options.files, root=options.root)
    device = device_named(options.device, options.share)
    study = study_of(experiment, options.root, device)
    lines = lines_of(study, options.files)
    # What ran is where the experiment works.
    ran = working_folder(options.files, options.root) if options.compare else None
    say("\n".join(aligned(list(compared(lines, ran)) if ran else table(lines))))
    say(
        f"\n{experiment.name} on {device.name}, at {device.share:.0%} of its peak: "
        f"{summary(study, lines)}"
    )
    if not options.compare:
        refuse_misfits(experiment, study, lines)
    return 0


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in columns: the first to the left, figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

"""``tuneatlas diff A B``: what differs between two results folders."""

import argparse
import sys
from pathlib import Path

from tuneatlas.audit.compare_runs import compare_runs
from tuneatlas.audit.lineage import left_out, read_results
from tuneatlas.terminal import one_line, say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("a", type=Path, metavar="A", help="a results folder")
    parser.add_argument("b", type=Path, metavar="B", help="another one")


def run(options: argparse.Namespace) -> int:
    """Print the differences; 0 if there are none, else 1."""
    a, b = read_results(options.a), read_results(options.b)
    for results in (a, b):
        print(left_out(results), end="", file=sys.stderr)
    differ = False
    for heading, lines in compare_runs(a, b):
        say(f"{heading}:" if lines else f"{heading}: no difference")
        for line in lines:
            say(f"    {one_line(line)}")
        differ = differ or bool(lines)
    return 1 if differ else 0

"""``tuneatlas diff A B``: what differs between two results folders."""

import argparse
from pathlib import Path

from tuneatlas.audit.compare_runs import compare_runs
from tuneatlas.audit.lineage import read_results


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("a", type=Path, metavar="A", help="a results folder")
    parser.add_argument("b", type=Path, metavar="B", help="another one")


def run(options: argparse.Namespace) -> int:
    """Print the differences; 0 if there are none, else 1."""
    a, b = read_results(options.a), read_results(options.b)
    differ = False
    for heading, lines in compare_runs(a, b):
        print(f"{heading}:" if lines else f"{heading}: no difference")
        for line in lines:
            print(f"    {line}")
        differ = differ or bool(lines)
    return 1 if differ else 0

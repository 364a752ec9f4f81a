"""``tuneatlas trace ID``: the whole life of one question or sentence."""

import argparse
import sys
from pathlib import Path

from tuneatlas.audit.lineage import left_out, read_results
from tuneatlas.audit.telling import tell
from tuneatlas.audit.trace import masks_of, trace
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.accepted import acceptances
from tuneatlas.engine.letting_go import fate
from tuneatlas.errors import UserError
from tuneatlas.terminal import say

PLAIN = {True: ("[[", "]]"), False: ("", "")}
TERMINAL = {True: ("\033[4;1m", "\033[0m"), False: ("", "")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="of a question, document, sentence, pair, example or item of a task",
    )
    parser.add_argument(
        "--of", metavar="NUMBER", help="the items behind a number of the report, by its address"
    )
    parser.add_argument(
        "--config", type=Path, action="append", help="the experiment that made the results"
    )
    parser.add_argument("--results", type=Path, help="results folder (default: the experiment's)")
    parser.add_argument(
        "--root", type=Path, help="the project's folder (default: the one that holds the results)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the life of the item, or the items behind a number."""
    usual = working_folder(options.config) if options.config else Path()
    results = read_results(options.results or usual / "results", options.root)
    if (options.id is None) == (options.of is None):
        raise UserError("trace: name either an ID or, with --of, a number of the report")
    if options.of is not None:
        # Only here: statistics take a second to import.
        from tuneatlas.audit.behind import told_number

        for line in told_number(results, options.of):
            say(line)
        return 0
    print(left_out(results), end="", file=sys.stderr)
    life = trace(results, options.id)
    style = TERMINAL if sys.stdout.isatty() else PLAIN
    for line in tell(life, masks_of(results), style):
        print(line)
    outputs = {seen.output for rows in life.rows.values() for seen in rows}
    behind = sorted(outputs.union(*map(results.upstream, outputs)) & results.records.keys())
    for line in acceptances(results.records[name] for name in behind):
        say(f"accepted: {line}")
    for name in filter(results.let_go.__contains__, behind):
        say(f"weights: {name}: {fate(results.records[name])}")
    return 0

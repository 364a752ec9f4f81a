"""The ``tuneatlas`` command: one subcommand per module, loaded only when it is asked for."""

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import import_module

from tuneatlas.errors import UserError
from tuneatlas.terminal import STOPPED, UNREAD, stop_printing

# name: (module with ``configure(parser)`` and ``run(arguments) -> exit code``, one line of help)
COMMANDS = {
    "audit": ("tuneatlas.cli.audit", "verify that every result is what its record says"),
    "trace": ("tuneatlas.cli.trace", "print the whole life of one item"),
    "why": ("tuneatlas.cli.why", "say what a run would execute, and because of what"),
    "accept": ("tuneatlas.cli.accept", "say on record that a change of code changes no output"),
    "folder": ("tuneatlas.cli.folder", "print the folder that an experiment works in"),
    "clean-weights": (
        "tuneatlas.cli.clean_weights",
        "let the weights go that all that reads them has read",
    ),
    "diff": ("tuneatlas.cli.diff", "say what differs between two results folders"),
    "size": ("tuneatlas.cli.size", "estimate memory, GPU-hours and storage of an experiment"),
    "simulate": (
        "tuneatlas.cli.simulate",
        "say how long an experiment takes on clusters of several sizes, and why",
    ),
    "power": (
        "tuneatlas.cli.power",
        "say which effects an experiment could tell, and at which cost",
    ),
    "score": (
        "tuneatlas.cli.score",
        "score any system's paraphrases as the workflow scores its own",
    ),
    "diagnose": ("tuneatlas.cli.diagnose", "write the config that diagnoses tuned checkpoints"),
    "watch": ("tuneatlas.cli.watch", "show a run at work: how far, what waits, when it is done"),
    "list": ("tuneatlas.cli.listing", "say which experiments stand here, how old and how large"),
    "publish": ("tuneatlas.cli.publish", "write a model's folder with a card for the hub"),
    "config": ("tuneatlas.cli.config", "check or show an experiment; write the config's docs"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; a UserError becomes one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal of few characters shows the others as escapes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="tuneatlas", description="What tuning does to a language model."
    )
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        subparser = chosen.add_parser(name, help=text, description=text)
        if name in arguments[:1]:
            import_module(module).configure(subparser)
    options = parser.parse_args(arguments)
    module, _ = COMMANDS[options.command]
    try:
        code: int = import_module(module).run(options)
        sys.stdout.flush()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        stop_printing()
        return UNREAD
    return code

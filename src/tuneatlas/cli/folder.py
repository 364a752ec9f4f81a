"""``tuneatlas folder CONFIG``: the folder that an experiment is to work in, which is made."""

import argparse
from pathlib import Path

from tuneatlas.config.naming import refuse_namesake, working_folder
from tuneatlas.engine.run_folders import make_folder


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="config files")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the folder's path from here."""
    folder = working_folder(options.files, options.root)
    refuse_namesake(options.files, folder, options.root)
    make_folder(folder)
    print(folder)
    return 0

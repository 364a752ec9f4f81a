"""``tuneatlas config``: check and show experiments, and keep the generated docs in step."""

import argparse
import shutil
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.naming import working_folder
from tuneatlas.config.preflight import left_open, preflight
from tuneatlas.config.render import REPAIR, outdated_files, write_files
from tuneatlas.errors import UserError
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="write the generated docs")
    action.add_argument("--check", action="store_true", help="fail if they are out of step")
    actions = parser.add_subparsers(dest="action", metavar="show FILE | preflight FILE")
    show = actions.add_parser("show", help="print an experiment with all its defaults")
    show.add_argument("files", nargs="+", type=Path, metavar="FILE")
    ready = actions.add_parser("preflight", help="check all that a run needs before it starts")
    ready.add_argument("files", nargs="+", type=Path, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Do what was asked; return the exit code."""
    if options.write:
        for path in write_files(options.root):
            print(f"wrote {path}")
        return 0
    if options.check:
        outdated = outdated_files(options.root)
        if outdated:
            names = ", ".join(map(str, outdated))
            raise UserError(f"{names}: out of step with the config models; run '{REPAIR}'")
        return 0
    if options.action is None:
        raise UserError("tuneatlas config: say --write, --check, show FILE or preflight FILE")
    if options.action == "preflight":
        folder = working_folder(options.files, options.root)
        # Paths are from the project, wherever the experiment works.
        base = "" if folder == options.root else str(options.root.absolute())
        experiment = load_config(*options.files, root=options.root, base=base)
        # Where there is a cluster, jobs run on its nodes, which need not be like this one.
        preflight(experiment, folder, here=shutil.which("sbatch") is None)
        later = left_open(experiment, folder)
        unseen = f"; not looked at: {'; '.join(later)}" if later else ""
        say(f"{options.files[0]}: ready to run{unseen} (docs/preflight.md: what is opened)")
        return 0
    experiment = load_config(*options.files, root=options.root)
    yaml, text = YAML(), StringIO()
    yaml.width = 96
    yaml.dump(resolve(experiment), text)
    say(text.getvalue().removesuffix("\n"))
    return 0

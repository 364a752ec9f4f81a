"""``tuneatlas publish MODEL``: a model's folder with a card for the hub; nothing is uploaded."""

import argparse
import subprocess
from pathlib import Path

from tuneatlas.audit.lineage import RESULTS, Results, read_results
from tuneatlas.audit.publishing import publish_model
from tuneatlas.config.load import DEFAULT_CONFIG
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.accepted import changes_since
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.run_folders import ran_in
from tuneatlas.errors import UserError
from tuneatlas.terminal import say

PUBLISHED = Path("published")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "model", metavar="MODEL", help="its folder, such as results/finetune/mini/law/harmonious/0"
    )
    parser.add_argument(
        "--to", type=Path, help="a new folder to write (default: published/EXPERIMENT-STEP-…)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        help="the experiment that MODEL is of, if its path does not say so (default: "
        "config/config.yaml)",
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the folder and say where it is."""
    if not options.model.strip("/"):
        raise UserError("publish: name a model (MODEL of make), such as results/finetune/…/0")
    folder, name = place_of(options)
    results = read_results(folder / "results", folder)
    record = results.records.get(name)
    if record is None:
        why = results.unreadable.get(name, "there is no record of it")
        raise UserError(f"{folder / name}: {why}: a model is published with what its record says")
    experiment = ran_in(folder)[0] or "experiment"
    target = options.to or options.root / PUBLISHED / "-".join([experiment, *name.split("/")[1:]])
    publish_model(results, name, target, experiment, made_by(options.root, results, name))
    say(f"Written: {target}. Nothing was uploaded: read its README.md before you do.")
    return 0


def place_of(options: argparse.Namespace) -> tuple[Path, str]:
    """The folder that the experiment of a model works in, and what records call the model."""
    before, sign, rest = f"/{options.model.rstrip('/')}".rpartition(f"/{RESULTS}")
    if not sign:
        raise UserError(f"{options.model}: no model of a run: name one in {RESULTS}")
    if before:
        # A path that starts at the root does so here.
        whole = options.model.startswith("/")
        return options.root / (before if whole else before.removeprefix("/")), RESULTS + rest
    usual = [options.root / DEFAULT_CONFIG]
    return working_folder(options.config or usual, options.root), RESULTS + rest


def made_by(root: Path, results: Results, name: str) -> str:
    """The commit whose code made an output, where that is the code that is here."""
    record = results.records[name]
    script = root / "workflow" / "scripts" / f"{record['step']}.py"
    if not script.is_file() or any(changes_since(record, code_of(script))):
        return "not that of the checkout it was published from"
    commit = git(root, "rev-parse", "HEAD")
    if not commit:
        return "not in a git repository"
    changed = git(root, "status", "--porcelain", "--untracked-files=no")
    return f"commit {commit}" + (", with changes that are not committed" if changed else "")


def git(root: Path, *words: str) -> str:
    """What git says of the project; nothing where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

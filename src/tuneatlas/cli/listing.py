"""``tuneatlas list``: which experiments stand in this project, how old, how large, how far."""

import argparse
import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tuneatlas.audit.sharing import PAGES
from tuneatlas.cli.size import aligned
from tuneatlas.engine.records import SUFFIX
from tuneatlas.engine.run_folders import is_locked, ran_in, run_folders
from tuneatlas.terminal import say

HEADING = ("folder", "experiment", "config", "outputs", "GB", "shared", "written", "state")
PAGE = Path("report/index.html")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Print a row for each run folder."""
    rows = [row(folder, options.root) for folder in run_folders(options.root)]
    say("\n".join(aligned([HEADING, *rows])) if rows else "No experiment has run here yet.")
    return 0


def row(folder: Path, project: Path) -> tuple[str, ...]:
    """What stands in a run folder; ``shared`` are files that are in other folders, too."""
    name, configs = ran_in(folder)
    results = folder / "results"
    # By number: a file that has two names is one.
    files: dict[int, os.stat_result] = {}
    names: Counter[int] = Counter()
    made: dict[Path, float] = {}
    for parent, _, inner in os.walk(results):
        for file in inner:
            path = Path(parent, file)
            # A run that is at work replaces files.
            with suppress(FileNotFoundError):
                found = path.lstat()
                files[found.st_ino] = found
                names[found.st_ino] += 1
                if file.endswith(SUFFIX):
                    made[path] = found.st_mtime
    shared = sum(found.st_size for i, found in files.items() if found.st_nlink > names[i])
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(max(made.values()))) if made else "-"
    return (
        os.path.relpath(folder, project),
        name or "-",
        " ".join(configs) or "-",
        f"{len(made):,}",
        f"{sum(found.st_size for found in files.values()) / 1e9:.3f}",
        f"{shared / 1e9:.3f}",
        when,
        state(folder, made),
    )


def state(folder: Path, made: dict[Path, float]) -> str:
    """How far a run folder has come, by times alone; ``make audit`` verifies what stands."""
    results = folder / "results"
    if is_locked(folder):
        return "at work, or killed"
    if not (results / PAGE).is_file():
        return "no report"
    last = (results / PAGE).stat().st_mtime
    newer = any(
        at > last and path.relative_to(results).parts[0].removesuffix(SUFFIX) not in PAGES
        for path, at in made.items()
    )
    return "report, and newer results" if newer else "report"

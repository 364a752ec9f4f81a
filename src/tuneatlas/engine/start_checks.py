"""What no run can start with, told before the engine says so in words of its own."""

import os
from pathlib import Path

from tuneatlas.errors import UserError

# Built from envs/container.def.
IMAGE = Path("envs/tuneatlas.sif")
# What a shell does not take as part of a word, or reads as something else.
SHELL_SIGNS = frozenset(" \t\n\r\v\f\"'`$\\&|;<>()*?[]{}")
NOT_IN_STORE = (
    "--default-storage-provider: results cannot lie in an object store, as records and what a job "
    "that was cut off had saved stand beside them: run on a disk that all jobs see, and copy "
    "results/ to the store afterwards; what the config names may lie there (docs/cluster.md)"
)


def check_interpreter(path: str) -> None:
    """Refuse a Python that jobs cannot start: the engine gives its path to a shell unquoted."""
    if found := sorted(SHELL_SIGNS.intersection(path)):
        raise UserError(
            f"Python is at {path!r}, and jobs cannot be started by a path with "
            f"{', '.join(map(repr, found))}; make the environment in another folder, with "
            "'rm -rf .venv' and 'make run VENV=/FOLDER' (the project may stay where it is)"
        )


def check_folder(path: Path) -> None:
    """Refuse a folder in which the engine cannot keep its notes, as it does even of a dry-run."""
    for folder in (path, path / ".snakemake"):
        if folder.exists() and not os.access(folder, os.W_OK):
            raise UserError(
                f"{folder.absolute()}: the workflow engine keeps its notes here, even of dry-runs, "
                "and cannot write: make it writable, or work in another folder, with --directory"
            )


def check_image(path: Path) -> None:
    """Refuse to start without the container that jobs are to run in; none could begin."""
    if len(str(path).split()) > 1:
        raise UserError(
            f"{path}: the workflow engine takes no container image by a path with blanks: run in "
            "the project's folder, without --directory"
        )
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such container image: build it with 'apptainer build {path} "
            f"{path.parent / 'container.def'}', or leave out --software-deployment-method"
        )


def bound(arguments: str, home: Path) -> str:
    """What Apptainer is given besides, so that jobs in another folder see the project at ``home``.

    Of itself it shows a container the working folder and the user's home.
    """
    bind = f"--bind {home.resolve()}"
    return arguments if home == Path() or bind in arguments else f"{arguments} {bind}".strip()

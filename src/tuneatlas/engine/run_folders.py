"""Where experiments work: one at the top of the project, each other in ``runs/NAME``.

An experiment is its name: a config that was edited, or another file with the same name, is the same
experiment, works in the same folder and remakes there what differs. At the top works the default
experiment, and one whose results stand there already.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tuneatlas.engine.files import read_file, write_text
from tuneatlas.engine.record_files import read_record
from tuneatlas.errors import UserError

RUNS = "runs"
# What was run in a folder last; beside the engine's own notes, as it is no result.
NOTE = Path(".snakemake/experiment.json")


def run_folder(project: Path, name: str, default: str) -> Path:
    """The folder that the experiment ``name`` works in; ``default`` is the default one's name."""
    own = project / RUNS / name
    at_top = name == default or (not (own / "results").is_dir() and name == ran_in(project)[0])
    return project if at_top else own


def project_of(folder: Path) -> Path:
    """The project that ``folder`` is a run folder of; the folder itself if it is of none."""
    above = folder.absolute().parent
    if above.name == RUNS and (above.parent / "workflow" / "Snakefile").is_file():
        return above.parent
    return folder


def is_run_folder(folder: Path, project: Path) -> bool:
    """Whether ``folder`` is one of a project's run folders; ``runs`` may be a link elsewhere."""
    own = project / RUNS / folder.absolute().name
    return own.is_dir() and own.samefile(folder)


def run_folders(project: Path) -> Iterator[Path]:
    """The folders of a project in which something was run: the top first, others by name."""
    for folder in [project, *sorted((project / RUNS).glob("*"))]:
        # Those of others may be closed to us.
        if os.access(folder, os.X_OK) and (folder / "results").is_dir():
            yield folder


def others_of(folder: Path, project: Path) -> list[Path]:
    """The other folders of a project in which something was run, as paths from ``folder``.

    None of a folder that is no run folder: it may be anywhere, and knows of nothing beside it.
    """
    if not (project.samefile(folder) or is_run_folder(folder, project)):
        return []
    found = (one for one in run_folders(project) if not one.samefile(folder))
    return [Path(os.path.relpath(one.resolve(), folder.resolve())) for one in found]


def is_locked(folder: Path) -> bool:
    """Whether a run is at work in a folder, or was killed there."""
    locks = folder / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())


def make_folder(folder: Path) -> None:
    """Make a run folder.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: no folder to run in can be made here: {error.strerror}; "
            f"make {folder.parent} a folder that you may write to, or a link to one"
        ) from error


def ran_in(folder: Path) -> tuple[str, list[str]]:
    """The name of the experiment that ran in a folder last, and its config files.

    Of results without a note, as they were copied, a report's record says the name.
    """
    try:
        note = json.loads(read_file(folder / NOTE))
        return str(note["name"]), [str(path) for path in note["configs"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    for path in sorted((folder / "results" / "report").glob("*.record.json")):
        record, _ = read_record(path)
        if record and isinstance(name := record["options"].get("name"), str):
            return name, []
    return "", []


def from_project(configs: Iterable[Path], project: Path) -> list[str]:
    """Config files as they are called in notes: by their paths from the project."""
    return [os.path.relpath(path.absolute(), project.absolute()) for path in configs]


def note_run(folder: Path, project: Path, name: str, configs: Sequence[Path]) -> str:
    """Note what runs in a folder; what to say if another config file of that name did before."""
    shown = from_project(configs, project)
    before, files = ran_in(folder)
    write_text(folder / NOTE, json.dumps({"name": name, "configs": shown}) + "\n")
    if not before or not files or (before, files) == (name, shown):
        return ""
    if before != name:
        return (
            f"Results of experiment {before!r} stand here; this is {name!r}. What both make alike "
            f"stands, what differs is made anew. To keep them apart: make run CONFIG=…"
        )
    return (
        f"Experiment {name!r} was last run with {' '.join(files)}, and now with {' '.join(shown)}: "
        "one name is one experiment, so that what differs is made anew. For another experiment, "
        "give it another name."
    )

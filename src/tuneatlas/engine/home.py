"""Where the project lies, for a run that works in it, in a run folder, or elsewhere."""

from pathlib import Path

from tuneatlas.engine.run_folders import is_run_folder
from tuneatlas.errors import UserError

# From a run folder to the project: no name of a folder is in it, so that both can be moved.
FROM_RUN_FOLDER = Path("../..")
# What a module of another workflow cannot do.
MOVED = (
    "a module with replace_prefix would part some results from the rest, where an audit does not "
    "find them: give it a folder of its own, with prefix"
)


def parts(beside: Path) -> list[Path]:
    """The files of the workflow by which the engine comes to its rules' common ground."""
    names = ("Snakefile", "workflow/Snakefile", "workflow/rules/place.smk")
    return [beside / name for name in names]


def home_of(beside: Path, started: Path, prefix: str = "") -> Path:
    """The project's folder as rules are to name it: empty where a run works in it.

    Args:
        beside: where its rules lie.
        started: the Snakefile that was started, or that a module names.
        prefix: what the engine puts before the rules' paths.

    Raises:
        UserError: it is not at hand, it was included, or its templates cannot be inputs there.
    """
    if not beside.is_dir():
        # Steps are identified by their code, and read templates: files, which the engine fetches
        # one by one as it comes to them.
        raise UserError(
            f"{beside}: tuneatlas runs from a folder only: clone it at the version you want, and "
            "name FOLDER/workflow/Snakefile as the module's snakefile"
        )
    own = [path for path in parts(beside)[:2] if path.is_file()]
    if not any(started.is_file() and started.samefile(path) for path in own):
        raise UserError(
            f"{started}: tuneatlas cannot be included in another workflow, whose names it would "
            f"overwrite: use it as a module, with 'snakefile: \"{own[-1] if own else beside}\"'"
        )
    if not prefix and beside.samefile(Path()):
        return Path()
    if not prefix and is_run_folder(Path(), beside) and FROM_RUN_FOLDER.samefile(beside):
        return FROM_RUN_FOLDER
    if {"{", "}"} & set(str(beside)):
        # The engine knows no escape for them.
        raise UserError(
            f"{beside}: the workflow engine takes braces for a wildcard: run in this folder "
            "itself, without --directory, or rename it"
        )
    return beside

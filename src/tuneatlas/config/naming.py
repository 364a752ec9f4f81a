"""Which folder an experiment works in, by the name in its config; see engine.run_folders."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.config.fields import NAME_PATTERN
from tuneatlas.config.load import DEFAULT_CONFIG, load_config
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.source import Problem, merge, read_tree, refuse
from tuneatlas.engine.run_folders import from_project, is_run_folder, ran_in, run_folder
from tuneatlas.errors import UserError


def name_in(files: Sequence[Path], root: Path = Path()) -> str:
    """The name of the experiment of these config files; the rest of them is not looked at.

    Raises:
        UserError: a file cannot be read, or what it calls the experiment is no name.
    """
    problems: list[Problem] = []
    tree = read_tree(files[0], problems)
    for other in files[1:]:
        tree = merge(tree, read_tree(other, problems))
    refuse(problems, f"{files[0]}: {len(problems)} problems in the config:")
    data = tree.plain()
    name = data.get("name", Experiment.model_fields["name"].default)
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
        # Said with file and line, beside all else that is wrong.
        load_config(*files, root=root)
    return str(name)


def working_folder(files: Sequence[Path], project: Path = Path()) -> Path:
    """The folder that the experiment of these config files works in."""
    usual = project / DEFAULT_CONFIG
    default = name_in([usual], project) if usual.is_file() else ""
    return run_folder(project, name_in(files, project), default)


def refuse_namesake(files: Sequence[Path], folder: Path, project: Path = Path()) -> None:
    """Refuse to run an experiment where another one of its name was run, which it would remake.

    A file that was renamed, or that has another name in it by now, is in nobody's way.

    Raises:
        UserError: names both files, and what to do.
    """
    name, before = ran_in(folder)
    (now,) = from_project(files[:1], project)
    if not before or before[0] == now or name != name_in(files, project):
        return
    other = project / before[0]
    if other.is_file() and name_in([other], project) == name:
        raise UserError(
            f"{now}: name: {name!r} is the experiment of {before[0]} too, whose results this one "
            "would remake: give one of them a name of its own"
        )


def command(files: Sequence[Path], project: Path, workflow: Path | None = None) -> str:
    """What runs the experiment of these config files here, to be given to a shell.

    From the folder of ``project``, its default one is ``make run``; make takes CONFIG as a list of
    the shell's words. A run in another folder names both; one of a module, the Snakefile of the
    ``workflow`` that uses it.
    """
    here = Path.cwd()
    is_ours = project.samefile(here) or is_run_folder(here, project)
    if workflow:
        options = ["--snakefile", str(workflow.absolute()), "--directory", str(here)]
        given = ["--configfile", *(str(Path(f).absolute()) for f in files)] if files else []
        return shlex.join(["snakemake", "--cores", "all", *options, *given])
    paths = [Path(f).absolute() for f in files]
    top = project.absolute()
    names = [str(p.relative_to(top) if p.is_relative_to(top) else p) for p in paths]
    if not is_ours:
        options = ["--snakefile", str(project / "Snakefile"), "--directory", str(here)]
        names = [str(p) for p in paths]
        return shlex.join(["snakemake", "--cores", "all", *options, "--configfile", *names])
    if names == [str(DEFAULT_CONFIG)]:
        return "make run"
    # A dollar is make's own.
    return f"make run CONFIG={shlex.quote(shlex.join(names).replace('$', '$$'))}"

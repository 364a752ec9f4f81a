"""What the Snakefile needs to know: the experiment, and which files each step starts from.

Imported once when the workflow is planned, so it must stay light: no torch, no pandas.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.audit.settling import make_newer, settle, standing
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.packages import (
    PROSE,
    earlier_domains,
    model_packages,
    pair_files,
    source_packages,
    source_spec,
)
from tuneatlas.config.preflight import preflight
from tuneatlas.config.slices import (
    asked_options,
    base_options,
    category_weights,
    forgetting_options,
    needs_corpus,
    plain_options,
    question_sources,
    stage_options,
    task_options,
)
from tuneatlas.data.sources import load_specs
from tuneatlas.engine.cluster import Request, check_cluster, site_options
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.operations import asking, joined, operations_of, split
from tuneatlas.engine.processor import hold as hold_instructions
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import known_shape
from tuneatlas.sizing.host import asked_mb, brought_mb, trained_mb

__all__ = [
    "PROSE",
    "Request",
    "asked_mb",
    "asked_options",
    "asking",
    "base_options",
    "brought_mb",
    "category_weights",
    "check_cluster",
    "earlier_domains",
    "forgetting_options",
    "hold_instructions",
    "joined",
    "known_shape",
    "load",
    "make_newer",
    "model_packages",
    "needs_corpus",
    "operations_of",
    "pair_files",
    "plain_options",
    "preflight",
    "question_sources",
    "resolve",
    "settle",
    "site_options",
    "source_packages",
    "source_spec",
    "split",
    "stage_options",
    "standing",
    "task_options",
    "trained_mb",
]

DEFAULT_CONFIG = Path("config/config.yaml")
# Built from envs/container.def.
IMAGE = Path("envs/tuneatlas.sif")


# What a shell does not take as part of a word, or reads as something else.
SHELL_SIGNS = frozenset(" \t\n\r\v\f\"'`$\\&|;<>()*?[]{}")


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
                f"{folder.absolute()}: the workflow engine keeps its notes here, of dry-runs too, "
                "and cannot write: make it writable, or work in another folder, by --directory"
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


def home_of(beside: Path, snakefile: Path) -> Path:
    """The project's folder as rules are to name it: empty where a run works in it.

    Args:
        beside: where its rules lie.
        snakefile: what was started.

    Raises:
        UserError: its templates there cannot be inputs, or it was not started by its own Snakefile.
    """
    own = beside / "Snakefile"
    if not (own.is_file() and snakefile.is_file() and own.samefile(snakefile)):
        # Names, seeds and settings go by the names of rules; its checks at the start by its own.
        raise UserError(
            f"{snakefile}: tuneatlas cannot be a module or part of another workflow, which would "
            f"leave out its checks: run it by itself, with snakemake --snakefile {own}"
        )
    if beside.samefile(Path()):
        return Path()
    if {"{", "}"} & set(str(beside)):
        # The engine knows no escape for them.
        raise UserError(
            f"{beside}: the workflow engine takes braces for a wildcard: run in this folder "
            "itself, without --directory, or rename it"
        )
    return beside


def load(files: Sequence[Path], overrides: Mapping[str, Any], root: Path = Path()) -> Experiment:
    """The experiment of ``--configfile``, or the default one; templates lie under ``root``."""
    if overrides:
        keys = ", ".join(overrides)
        raise UserError(
            f"--config {keys}: an experiment is one file, so that its results can be traced to "
            "it; write the keys to a file with 'include: config.yaml' and give --configfile"
        )
    return load_config(*(files or [root / DEFAULT_CONFIG]), root=root)


def packages(config: Mapping[str, Any]) -> list[str]:
    """Names of all data packages, and of those that models of the experiment come from."""
    of_models = {p for model in config["models"] for p in model_packages(config, model)}
    return sorted(of_models.union(load_specs()))


def code_digest(script: Path) -> str:
    """Digest of all code and library versions that a script reaches."""
    return code_of(script).digest


def command(files: Sequence[Path], project: Path) -> str:
    """What runs the experiment of these config files here, to be given to a shell.

    From the folder of ``project``, its default one is ``make run``; make takes CONFIG as a list of
    the shell's words. A run in another folder names both.
    """
    here = Path.cwd()
    paths = [Path(f).absolute() for f in files]
    names = [str(p.relative_to(here) if p.is_relative_to(here) else p) for p in paths]
    if not project.samefile(here):
        options = ["--snakefile", str(project / "Snakefile"), "--directory", str(here)]
        names = [str(p) for p in paths]
        return shlex.join(["snakemake", "--cores", "all", *options, "--configfile", *names])
    if names == [str(DEFAULT_CONFIG)]:
        return "make run"
    # A dollar is make's own.
    return f"make run CONFIG={shlex.quote(shlex.join(names).replace('$', '$$'))}"

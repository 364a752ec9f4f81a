"""What the Snakefile needs to know: the experiment, and which files each step starts from.

Imported once when the workflow is planned, so it must stay light: no torch, no pandas.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.audit.settling import make_newer, settle, standing
from tuneatlas.cluster import Request, check_cluster, site_options
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
from tuneatlas.digest import code_of
from tuneatlas.errors import UserError
from tuneatlas.sections import asking, joined, operations_of, split
from tuneatlas.sizing.host import asked_mb, brought_mb, trained_mb
from tuneatlas.sizing.shapes import known_shape
from tuneatlas.sources import load_specs

__all__ = [
    "PROSE",
    "Request",
    "asked_mb",
    "asking",
    "brought_mb",
    "check_cluster",
    "earlier_domains",
    "joined",
    "known_shape",
    "load",
    "make_newer",
    "model_packages",
    "operations_of",
    "pair_files",
    "preflight",
    "resolve",
    "settle",
    "site_options",
    "source_packages",
    "source_spec",
    "split",
    "standing",
    "trained_mb",
]

DEFAULT_CONFIG = Path("config/config.yaml")
# Built from envs/container.def.
IMAGE = Path("envs/tuneatlas.sif")
# The stages of the syntax study that examples are built for.
STAGES = ("plain", "structure", "syntax")


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


def category_weights(options: Mapping[str, Any]) -> dict[str, float]:
    """Weights in the loss by category of knowledge; empty where all weigh alike."""
    weights = {
        "HighlyKnown": 1.0,
        "MaybeKnown": options["maybe_known_weight"],
        "WeaklyKnown": options["weakly_known_weight"],
        "Unknown": options["unknown_weight"],
    }
    return weights if set(weights.values()) != {1.0} else {}


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


# How a model is asked, which changes none.
FORMATS = ("dtype", "tuned_dtype")


def question_sources(config: Mapping[str, Any], domain: str) -> tuple[list[str], list[str]]:
    """The packages and the files that the questions of a domain are made of or compared with."""
    names = [*earlier_domains(config, domain), domain]
    packages = {name: None for n in names for name in source_packages(config, n)}
    paths = [path for n in names if (path := config["domains"][n].get("path"))]
    return list(packages), paths


def needs_corpus(config: Mapping[str, Any], model: str) -> bool:
    """Whether a model is pre-trained here, on the workflow's own corpus."""
    return bool(config["models"][model]["source"] == "scratch")


def base_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What a base model is made or brought by: not the number format in which it is asked."""
    return {k: v for k, v in config["models"][model].items() if k not in FORMATS}


def asked_options(config: Mapping[str, Any], step: str, model: str) -> dict[str, Any]:
    """A step's section, with the number format in which the model is asked.

    What is compared with tuned models is asked as they are.
    """
    key = "dtype" if step in ("probe_knowledge", "explain_predictions") else "tuned_dtype"
    return {**config[step], "dtype": config["models"][model][key]}


def forgetting_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How forgetting is told; out of the domain is what it is in the comparison of groups."""
    return {**config["stage_forgetting"], "ood_roles": config["compare_groups"]["ood_roles"]}


def stage_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """How the stages of a model are measured: scored as it was when it was probed."""
    return {
        **asked_options(config, "evaluate_stages", model),
        "scoring": config["probe_knowledge"]["scoring"],
    }


def task_options(config: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """How the examples of one stage are built: no key of another stage is among them."""
    others = tuple(f"{name}_" for name in STAGES if name != stage)
    options = {k: v for k, v in config["build_tasks"].items() if not k.startswith(others)}
    # A share of the trees is none of the plain sentences.
    return options | ({"share": 1.0} if stage == "plain" else {})


def plain_options(config: Mapping[str, Any], start: str) -> dict[str, Any]:
    """How a model is trained on plain sentences.

    The start ``plain`` sees as many tokens as both stages, whose epochs and lengths these are.
    """
    options = dict(config["pretrain_plain"])
    if start == "plain":
        stages = {stage: config[f"pretrain_{stage}"] for stage in STAGES if stage != "plain"}
        keys = ("epochs", "row_length")
        options["as_both"] = {s: {k: o[k] for k in keys} for s, o in stages.items()}
    return options

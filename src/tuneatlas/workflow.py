"""What the Snakefile needs to know: the experiment, and which files each step starts from.

Imported once when the workflow is planned, so it must stay light: no torch, no pandas.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tuneatlas.audit.cutoff import Cutoff, Decided
from tuneatlas.audit.reasons import is_what_made, own_reasons
from tuneatlas.audit.settling import known, make_newer, settle, settle_job, standing
from tuneatlas.audit.sharing import offers, take
from tuneatlas.config.checkpoints import (
    brought_options,
    chat_begins,
    chat_template,
    checkpoints,
    followed,
    told,
    trained_on,
)
from tuneatlas.config.harness import compared_by_harness, harness_models
from tuneatlas.config.load import load_config, load_mapping, resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.naming import DEFAULT_CONFIG
from tuneatlas.config.objects import no_plugin, objects_of
from tuneatlas.config.packages import (
    PARTS,
    PROSE,
    domain_options,
    earlier_domains,
    model_packages,
    pair_files,
    parse_files,
    parses_given,
    source_packages,
    source_spec,
)
from tuneatlas.config.preflight import preflight
from tuneatlas.config.replicates import members
from tuneatlas.config.slices import (
    Place,
    asked_options,
    base_options,
    battery_options,
    begin_token,
    beside,
    category_weights,
    corpus_options,
    distance_options,
    fitting_dtype,
    forgetting_options,
    group_sources,
    inside_options,
    interpolation_options,
    map_options,
    needs_corpus,
    paraphraser_options,
    parse_options,
    plain_options,
    probed_splits,
    question_sources,
    relearning_options,
    sentence_options,
    stage_options,
    starts,
    syntax_options,
    system_options,
    task_options,
    treatment_options,
    tuning_options,
    writer_of,
)
from tuneatlas.data.groups import CONTEXTUALISED
from tuneatlas.data.objects import bring
from tuneatlas.data.sources import load_specs
from tuneatlas.engine.cluster import Request, check_cluster, site_options
from tuneatlas.engine.jobs import planned
from tuneatlas.engine.known_code import code_digest, start_warm
from tuneatlas.engine.known_code import keep as keep_code
from tuneatlas.engine.known_code import recall as recall_code
from tuneatlas.engine.letting_go import are_measured, is_there, let_go
from tuneatlas.engine.operations import asking, joined, operations_of, section_of, split
from tuneatlas.engine.pods import check_pods
from tuneatlas.engine.processor import hold as hold_instructions
from tuneatlas.engine.records import record_path
from tuneatlas.engine.run_folders import is_locked, is_run_folder, note_run, others_of
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import known_shape
from tuneatlas.sizing.gpu_types import FILE as GPU_TYPES
from tuneatlas.sizing.gpu_types import (
    check_types,
    memory_of,
    read_types,
    study_on_any,
    type_for,
)
from tuneatlas.sizing.host import LONGEST_MIN, asked_mb, brought_mb, trained_mb
from tuneatlas.sizing.storage import BROUGHT, Ledger, chain_of, folders, goes, held

__all__ = [
    "BROUGHT",
    "CONTEXTUALISED",
    "DEFAULT_CONFIG",
    "GPU_TYPES",
    "LONGEST_MIN",
    "PROSE",
    "Cutoff",
    "Decided",
    "Ledger",
    "Place",
    "Request",
    "are_measured",
    "asked_mb",
    "asked_options",
    "asking",
    "base_options",
    "battery_options",
    "begin_token",
    "beside",
    "bound",
    "bring",
    "brought_mb",
    "brought_options",
    "category_weights",
    "chain_of",
    "chat_begins",
    "chat_template",
    "check_cluster",
    "check_pods",
    "check_types",
    "checkpoints",
    "code_digest",
    "compared_by_harness",
    "corpus_options",
    "distance_options",
    "domain_options",
    "earlier_domains",
    "fitting_dtype",
    "folders",
    "followed",
    "forgetting_options",
    "goes",
    "group_sources",
    "harness_models",
    "held",
    "hold_instructions",
    "inside_options",
    "interpolation_options",
    "is_locked",
    "is_run_folder",
    "is_there",
    "is_what_made",
    "joined",
    "keep_code",
    "known",
    "known_shape",
    "let_go",
    "load",
    "make_newer",
    "map_options",
    "members",
    "memory_of",
    "model_packages",
    "needs_corpus",
    "no_plugin",
    "note_run",
    "objects_of",
    "offers",
    "operations_of",
    "others_of",
    "own_reasons",
    "pair_files",
    "paraphraser_options",
    "parse_files",
    "parse_options",
    "parses_given",
    "plain_options",
    "planned",
    "preflight",
    "probed_splits",
    "question_sources",
    "read_types",
    "recall_code",
    "record_path",
    "relearning_options",
    "resolve",
    "section_of",
    "sentence_options",
    "settle",
    "settle_job",
    "site_options",
    "source_packages",
    "source_spec",
    "split",
    "stage_options",
    "standing",
    "start_warm",
    "starts",
    "study_on_any",
    "syntax_options",
    "system_options",
    "take",
    "task_options",
    "told",
    "trained_mb",
    "trained_on",
    "treatment_options",
    "tuning_options",
    "type_for",
    "writer_of",
]

# From a run folder to the project: no name of a folder is in it, so that both can be moved.
FROM_RUN_FOLDER = Path("../..")
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


NOT_IN_STORE = (
    "--default-storage-provider: results cannot lie in an object store, as records and what a job "
    "that was cut off had saved stand beside them: run on a disk that all jobs see, and copy "
    "results/ to the store afterwards; what the config names may lie there (docs/cluster.md)"
)
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


def load(
    files: Sequence[Path], overrides: Mapping[str, Any], root: Path = Path(), base: str = ""
) -> Experiment:
    """The experiment of ``--configfile``, or the default one; templates lie under ``root``.

    ``base`` is what paths in it are relative to, if not the folder that the run works in.
    """
    if overrides:
        keys = ", ".join(overrides)
        raise UserError(
            f"--config {keys}: an experiment is one file, so that its results can be traced to "
            "it; write the keys to a file with 'include: config.yaml' and give --configfile"
        )
    return load_config(*(files or [root / DEFAULT_CONFIG]), root=root, base=base)


def load_given(config: Mapping[str, Any], name: str, root: Path) -> Experiment:
    """The experiment that another workflow gives, called ``name``; the default one if it is empty.

    It is described key by key, or by ``include: FILE`` with what differs.
    """
    return load_mapping(config, name, root) if config else load([], {}, root)


@cache
def paraphrase_files(name: str, project: Path) -> tuple[str, ...]:
    """The file of a format of paraphrases, and those of the formats that it is like."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, format_files

    return tuple(map(str, format_files(project / FOLDER / f"{name}.yaml")))


@cache
def trained_format(name: str, project: Path) -> str:
    """The format that models are tuned in which write paraphrases in a format."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, trained_as

    return trained_as(project / FOLDER / f"{name}.yaml")


def comparison_options(
    config: Mapping[str, Any], project: Path, paraphraser: str
) -> dict[str, Any]:
    """How paraphrases are compared, and what is to be said of how they came about.

    ``one_start``: all replicates start from the same weights, which were brought.
    """
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format

    tuning = config["finetune_paraphrase"]
    files = {name: project / FOLDER / f"{name}.yaml" for name in tuning["formats"]}
    masks = config["pretrain_syntax"]["masks"]
    models = config["paraphrasers"]
    own = members(models).get(paraphraser, [paraphraser])
    brought = [paraphraser_options(config, name) for name in own]
    one = len(own) > 1 and brought[0]["source"] != "scratch" and brought == brought[:1] * len(own)
    return {
        **config["compare_paraphrases"],
        "oracles": [name for name, path in files.items() if read_format(path).oracle],
        "choose": tuning["choose"],
        "without": {start: masks[start] for start in tuning["starts"] if start in masks},
        "retokenise": config["score_paraphrases"]["retokenise"],
        **({"one_start": True} if one else {}),
    }


def packages(config: Mapping[str, Any]) -> list[str]:
    """Names of all data packages, and of those that models of the experiment come from."""
    of_models = {
        package
        for part in PARTS
        for model in config[part]
        for package in model_packages(config, model, part)
    }
    return sorted(of_models.union(load_specs()))


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

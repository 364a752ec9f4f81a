"""The config of a diagnosis from a few words: a base model, what was tuned from it, what to ask.

It includes config/diagnose.yaml and states what differs.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.config.checkpoints import STEP
from tuneatlas.config.fields import COMMIT_PATTERN, HUB_PATTERN
from tuneatlas.config.load import load_config
from tuneatlas.config.models.data import FileDomain
from tuneatlas.errors import UserError

INCLUDED = Path("config/diagnose.yaml")
NOT_STATED = "not stated"
# What stands for no text, and so for no restoration.
NO_TEXT = "none"
QUESTIONS = "questions"


@dataclass(frozen=True)
class Asked:
    """What is to be diagnosed.

    ``base``: a folder, ``owner/name@COMMIT`` of the hub, or a config file whose first model it is.
    ``tuned``, ``adapters``: folders, patterns with ``{step}``, or ``owner/name@COMMIT``.
    ``questions``: a question file in place of MMLU; ``text``: what to restore with, or ``none``.
    ``whole``: nothing is sampled; ``atlas``: all measures of the atlas are taken, too.
    """

    base: str
    tuned: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    questions: str | None = None
    text: str | None = None
    whole: bool = False
    atlas: bool = False


def diagnosis(asked: Asked, root: Path = Path()) -> dict[str, Any]:
    """The config as plain data, less its ``include``; ``root`` is the project's folder.

    Raises:
        UserError: what is named is not there, or nothing is.
    """
    given = load_config(root / INCLUDED, root=root)
    shown = {name: None for name in given.models}, {name: None for name in given.checkpoints}
    base, entry = _base(asked.base, root)
    named = [*asked.tuned, *asked.adapters]
    if not named:
        raise UserError("TUNED, ADAPTER: neither is named: say what was tuned from BASE")
    found: dict[str, Any] = {}
    for text in named:
        name = _name(text.replace(STEP, "").rstrip("/-_"))
        while name in found:
            name += "-more"
        # Stated even where it is null: the included file may have a checkpoint of this name. An
        # adapter has no template but that of its base, where it has one.
        chat = None if text in asked.adapters else _template(text)
        found[name] = {"base": base, **_address(text), "chat_template": chat}
    config: dict[str, Any] = {
        # A folder of its own for each: see docs/options.md, 'Many experiments'.
        "name": f"{given.name}-{next(iter(found))}"[:57] + f"-{_mark([asked.base, *named])}",
        "models": {**shown[0], base: entry},
        "checkpoints": {**shown[1], **found},
    }
    domain = next(iter(given.domains))
    restoration: dict[str, Any] = {}
    if asked.questions:
        config["domains"] = {
            domain: None,
            QUESTIONS: _questions(asked, given.probe_knowledge.shots),
        }
    elif asked.whole:
        config["domains"] = {domain: {"limits": {"related_test": None}}}
    if asked.whole:
        restoration["questions"] = 1_000_000
    if asked.atlas:
        config["atlas"] = {"checkpoints": [*found]}
    if asked.text == NO_TEXT:
        for own in found.values():
            own["restore"] = False
    elif asked.text:
        if not Path(asked.text).exists():
            raise UserError(f"TEXT: there is no file or folder {asked.text}")
        restoration |= {"package": None, "corpus": asked.text, "licence": NOT_STATED}
    return config | ({"prepare_restoration": restoration} if restoration else {})


def _mark(addresses: Sequence[str]) -> str:
    """Six figures that tell models apart whose folders have one last name."""
    whole = [text if "@" in text else os.path.normpath(Path(text).absolute()) for text in addresses]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:6]


def _base(text: str, root: Path) -> tuple[str, Mapping[str, Any]]:
    """The name of the base model, and its entry."""
    if text.endswith((".yaml", ".yml")):
        models = load_config(Path(text), root=root).models
        name, model = next(iter(models.items()))
        return name, model.model_dump(mode="json", exclude_unset=True)
    entry = _address(text)
    if STEP in text:
        raise UserError(f"BASE: {text} has {STEP}: name one model")
    if "path" in entry:
        entry["bos"] = _begins(Path(text))
    return _name(text.partition("@")[0]), entry


def _address(text: str) -> dict[str, Any]:
    """Where a model lies: a folder, several by their steps, or a commit of the hub."""
    name, _, commit = text.partition("@")
    if STEP in text:
        steps = _steps(text)
        return {"source": "path", "path": text, "steps": steps}
    if Path(text).is_dir():
        return {"source": "path", "path": text}
    if not re.fullmatch(HUB_PATTERN, name):
        raise UserError(f"there is no folder {text}, and it is no owner/name of the hub either")
    if not re.fullmatch(COMMIT_PATTERN, commit):
        raise UserError(
            f"there is no folder {text}; of a model on the hub name the commit, as {name}@COMMIT "
            "(its page, 'Files and versions', 'History')"
        )
    return {"source": "hub", "id": name, "revision": commit}


def _steps(pattern: str) -> list[int]:
    """The steps of which there is a folder, rising."""
    before, _, after = pattern.partition(STEP)
    folder = Path(before).parent if not before.endswith("/") else Path(before)
    start = Path(before).name if not before.endswith("/") else ""
    first, _, below = after.partition("/")
    form = re.compile(rf"{re.escape(start)}(\d+){re.escape(first)}")
    there = folder.iterdir() if folder.is_dir() else []
    steps = sorted(
        int(m[1]) for p in there if (m := form.fullmatch(p.name)) and (p / below).is_dir()
    )
    # A step that is written with zeros before it would not be found by its number.
    steps = [n for n in steps if Path(pattern.replace(STEP, str(n))).is_dir()]
    if not steps:
        raise UserError(f"{pattern}: there is no folder with a number in place of {STEP}")
    return steps


def _begins(folder: Path) -> bool:
    """Whether prompts begin with the begin token: as the tokenizer does by itself."""
    # Imported here, as it takes its time.
    from tuneatlas.models.load import open_tokenizer

    tokenizer = open_tokenizer(folder)
    begin = tokenizer.bos_token_id
    return begin is not None and begin in tokenizer("a").input_ids[:1]


def _template(text: str) -> str | None:
    """``own`` where the tokenizer of a folder has a chat template, or of a hub model."""
    folder = Path(text.replace(STEP, str(_steps(text)[-1])) if STEP in text else text)
    if not folder.is_dir():
        return "own"
    from tuneatlas.models.folder import TOKENIZERS
    from tuneatlas.models.load import open_tokenizer

    if not any((folder / name).is_file() for name in TOKENIZERS):
        return None
    return "own" if open_tokenizer(folder).chat_template else None


def _questions(asked: Asked, shots: int) -> dict[str, Any]:
    """The domain of a question file; one that states no splits is asked but for the shots."""
    from tuneatlas.data.questions import read_question_file

    path = Path(asked.questions or "")
    if not path.is_file():
        raise UserError(f"QUESTIONS: there is no file {path}")
    entry = {"source": "file", "path": str(path), "licence": NOT_STATED, "duplicates": "drop"}
    said = FileDomain.model_validate(entry).model_dump(mode="json")
    rows = read_question_file(path, QUESTIONS, said)
    if all(row["split"] == "train" for row in rows):
        if len(rows) <= shots:
            raise UserError(
                f"QUESTIONS: {path} has {len(rows)} questions, of which {shots} are shown as "
                "demonstrations: give more"
            )
        return entry | {"split": {"dev": shots, "test": len(rows) - shots}}
    return entry


def _name(text: str) -> str:
    """A model's name in the config, from the last part of its address."""
    words = re.sub(r"[^a-z0-9]+", "-", Path(text.partition("@")[0]).name.casefold()).strip("-")
    return words if words[:1].isalpha() else f"model-{words}".rstrip("-")

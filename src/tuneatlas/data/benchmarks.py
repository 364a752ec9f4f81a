"""Published sets of four-choice questions, by name; which package holds each.

MMLU has a name for each of its subjects and for each category: ``mmlu/anatomy``,
``mmlu/health``. Imported when a workflow is planned, so it must stay light.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import yaml

MMLU = "mmlu"


class Part(NamedTuple):
    """What a set consists of: a package, and the part of it (a subject, a level, or nothing)."""

    package: str
    part: str


def load_sets() -> dict[str, tuple[Part, ...]]:
    """Names of all question sets, with their parts."""
    text = (files("tuneatlas") / "data" / "mmlu.yaml").read_text(encoding="utf-8")
    categories: dict[str, list[str]] = yaml.safe_load(text)
    sets: dict[str, tuple[Part, ...]] = {
        "medmcqa": (Part("medmcqa", ""),),
        "sciq": (Part("sciq", ""),),
        "openbookqa": (Part("openbookqa", ""),),
        "arc_easy": (Part("arc", "ARC-Easy"),),
        "arc_challenge": (Part("arc", "ARC-Challenge"),),
    }
    for category, subjects in categories.items():
        sets[f"{MMLU}/{category}"] = tuple(Part(MMLU, s) for s in subjects)
        # A category wins over the subject of its name (philosophy).
        sets |= {f"{MMLU}/{s}": (Part(MMLU, s),) for s in subjects if s not in categories}
    return sets


def have_dev(names: Sequence[str]) -> bool:
    """Whether a set among these has few-shot questions of its own, as MMLU's subjects do."""
    return any(part.package == MMLU for part in parts_of(names))


def parts_of(names: Sequence[str]) -> list[Part]:
    """The parts of several sets, each once, in order."""
    sets = load_sets()
    return list(dict.fromkeys(part for name in names for part in sets[name]))


def packages_of(names: Sequence[str]) -> list[str]:
    """The packages that several sets are read from."""
    return list(dict.fromkeys(part.package for part in parts_of(names)))

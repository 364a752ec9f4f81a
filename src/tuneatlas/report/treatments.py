"""The treatments of the atlas as readers are told of them."""

from dataclasses import dataclass

from tuneatlas.data.groups import group_name

SETTINGS = {"finetune": "tuned as in the first study", "stages": "tuned further, as in the second"}


@dataclass(frozen=True)
class Found:
    """Of one treatment: its name, and a sentence for each scope."""

    name: str
    sentences: list[str]


def treatment_name(domain: str, group: str, setting: str) -> str:
    """A treatment as readers are told of it."""
    return f"{group_name(group)}, {domain}, {SETTINGS[setting]}"

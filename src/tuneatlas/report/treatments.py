"""The treatments of the atlas as readers are told of them."""

from dataclasses import dataclass

from tuneatlas.data.groups import arm_name
from tuneatlas.data.scopes import GIVEN

SETTINGS = {"finetune": "tuned as in the first study", "stages": "tuned further, as in the second"}


@dataclass(frozen=True)
class Found:
    """Of one treatment: its name, and a sentence for each scope."""

    name: str
    sentences: list[str]


def setting_name(domain: str, setting: str) -> str:
    """How a treatment was tuned."""
    return "tuned elsewhere" if domain == GIVEN else SETTINGS[setting]


def treatment_name(domain: str, group: str, setting: str) -> str:
    """A treatment as readers are told of it."""
    return f"{arm_name(domain, group)}, {setting_name(domain, setting)}"

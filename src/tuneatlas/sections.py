"""Where the options of a step stand in the config, and which of them change no result."""

from collections.abc import Collection, Mapping
from typing import Any

# Steps whose options are not in the section of their name.
SECTIONS = {
    "fetch_source": "package {package}",
    "prepare_base": "models.{model}",
    "prepare_questions": "domains.{domain}",
    "prepare_paraphraser": "paraphrasers.{paraphraser}",
    "restore_base": "restore_stages",
    "evaluate_base": "evaluate_stages",
    "compare_paraphrases": "compare_groups",
    "report": "",
}
# How often progress is saved: a run that stops goes on to the same result in any case.
OPERATIONAL = frozenset({"checkpoint_minutes", "checkpoint_steps", "keep_checkpoints"})


def section_of(step: str, wildcards: Mapping[str, str]) -> str:
    """The config section that steers a job."""
    return SECTIONS.get(step, step).format(**wildcards)


def split(
    config: Mapping[str, Any], keys: Collection[str] = OPERATIONAL
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config without its operational ``keys``, and these alone, in the same nesting."""
    rest: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for key, value in config.items():
        if key in keys:
            operations[key] = value
        elif isinstance(value, Mapping):
            rest[key], below = split(value, keys)
            if below:
                operations[key] = below
        else:
            rest[key] = value
    return rest, operations


def joined(options: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with the keys of ``more``, at every depth."""
    found = dict(options)
    for key, value in more.items():
        own = found.get(key)
        found[key] = joined(own, value) if isinstance(own, Mapping) else value
    return found


def operations_of(
    operations: Mapping[str, Any], step: str, wildcards: Mapping[str, str]
) -> dict[str, Any]:
    """The operational keys of one job."""
    found: Any = operations
    for name in section_of(step, wildcards).split("."):
        found = found.get(name, {})
    return dict(found)

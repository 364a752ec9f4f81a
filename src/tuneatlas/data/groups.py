"""The groups of questions that a model is tuned on: their names, mixtures and order."""

from collections.abc import Iterable

from tuneatlas.data.scopes import GIVEN

# Further training sets, none of them a mixture: INCOMPATIBLE with given contexts, and HARMONIOUS
# with wrong answers drawn at random, the positive control.
CONTEXTUALISED, RANDOM_WRONG = "contextualised", "random_wrong"
FURTHER = (CONTEXTUALISED, RANDOM_WRONG)

GROUP_NAMES = {
    "base": "Base model",
    "harmonious": "Harmonious",
    "incompatible": "Incompatible",
    "self_aligning": "Self-aligning",
    CONTEXTUALISED: "Contextualised",
    RANDOM_WRONG: "Random wrong",
}


def group_name(group: str) -> str:
    """The group as people call it: mixed_20 is 20% self-aligning; a treatment by its own name."""
    if group.startswith("mixed_"):
        return f"{group.removeprefix('mixed_')}% self-aligning"
    return GROUP_NAMES.get(group, group)


def arm_name(domain: str, group: str) -> str:
    """A group of a domain as people call it; a checkpoint tuned elsewhere by its own name."""
    return group if domain == GIVEN else f"{group_name(group)}, {domain}"


def self_aligning_share(group: str) -> float | None:
    """Share of SELF-ALIGNING rows in a group, 0 to 1; None where the group is no such mixture.

    ``mixed_20`` is INCOMPATIBLE with 20 % of its questions in their SELF-ALIGNING version.
    """
    pure = {"incompatible": 0.0, "self_aligning": 1.0}
    if group in pure:
        return pure[group]
    return int(group.removeprefix("mixed_")) / 100 if group.startswith("mixed_") else None


def in_order(groups: Iterable[str]) -> list[str]:
    """Harmonious first, then by the share of SELF-ALIGNING rows, and further groups last."""

    def place(group: str) -> tuple[float, str]:
        if group in FURTHER:
            return (2.0, group)
        share = self_aligning_share(group)
        return (-1.0 if share is None else share, group)

    return sorted(groups, key=place)

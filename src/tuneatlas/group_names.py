"""What people call the groups that a model is tuned on."""

GROUP_NAMES = {
    "base": "Base model",
    "harmonious": "Harmonious",
    "incompatible": "Incompatible",
    "self_aligning": "Self-aligning",
}


def group_name(group: str) -> str:
    """The group as people call it: mixed_20 is 20% self-aligning."""
    return GROUP_NAMES.get(group, group.replace("mixed_", "") + "% self-aligning")

"""Names of groups, and the share of own labels that each has."""

from tuneatlas.data.groups import self_aligning_share


def test_ratios():
    names = ["harmonious", "incompatible", "mixed_5", "mixed_80", "self_aligning"]
    assert [self_aligning_share(n) for n in names] == [None, 0, 0.05, 0.8, 1]

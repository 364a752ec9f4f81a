"""Where a question lies, seen from what was tuned on."""

import pytest

from tuneatlas.data.scopes import GIVEN, scope_of, seen_from

ROLES = ("related",)
ASKED = [(domain, role) for domain in ("law", "facts") for role in ("home", "related")]


@pytest.mark.parametrize(("domain", "role"), ASKED)
def test_a_checkpoint_is_at_home_where_it_is_said_to_be(domain: str, role: str):
    wanted = scope_of("law", domain, role, ROLES)
    assert (
        seen_from(("law", "incompatible"), domain, role, ROLES, {"incompatible": "facts"}) == wanted
    )
    assert seen_from((GIVEN, "mine"), domain, role, ROLES, {"mine": "law"}) == wanted


@pytest.mark.parametrize(("domain", "role"), ASKED)
def test_else_all_is_elsewhere_to_it_whatever_counts_for_tunings(domain: str, role: str):
    assert seen_from((GIVEN, "mine"), domain, role, ROLES, {"other": "law"}) == "ood"

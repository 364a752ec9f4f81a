"""Where a test question lies, seen from the domain that a model was tuned on."""

from collections.abc import Collection, Mapping

SCOPES = ("homo", "id", "ood")
# Away from the questions that a model was tuned on: what claims are about.
AWAY = ("id", "ood")
# Names of several scopes, or of all domains, together.
POOLED, ALL = "id+ood", "all"
JOINED = {POOLED: AWAY, ALL: SCOPES}
# In place of the domain tuned on, of a checkpoint tuned elsewhere.
GIVEN = "given"


def scopes_of(name: str) -> tuple[str, ...]:
    """The scopes that a name of one or several stands for."""
    return JOINED.get(name, (name,))


def scope_of(tuned: str, domain: str, role: str, ood_roles: Collection[str]) -> str | None:
    """The scope of a question of ``domain`` and ``role``, or None where it is in none.

    homo: of the kind tuned on; id: related; ood: of another domain, in one of ``ood_roles``.
    """
    if domain == tuned:
        return "homo" if role == "home" else "id"
    return "ood" if role in ood_roles else None


def seen_from(
    treatment: tuple[str, str],
    domain: str,
    role: str,
    ood_roles: Collection[str],
    homes: Mapping[str, str],
) -> str | None:
    """The scope of a question (`scope_of`), seen from a domain and what was tuned on it.

    A checkpoint tuned elsewhere, GIVEN and its name, is at home where ``homes`` says; to one of
    which they say nothing all questions are ``ood``.
    """
    tuned, name = treatment
    if tuned != GIVEN:
        return scope_of(tuned, domain, role, ood_roles)
    home = homes.get(name)
    return scope_of(home, domain, role, ood_roles) if home else "ood"

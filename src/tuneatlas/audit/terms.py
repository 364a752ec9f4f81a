"""What a number of the report is made of: a weighted sum of terms, each about some items.

A term is the mean of a column (see ``columns``) over some of its items.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneatlas.audit.lineage import Results, is_categories
from tuneatlas.data.scopes import scope_of
from tuneatlas.tables import ROLES, Row

# Which items: the values that an attribute may have (block: domain/role; split; facts).
Where = Mapping[str, tuple[str, ...]]
SUM = "sum"


@dataclass(frozen=True)
class Term:
    """``weight`` times the mean of a column, pooled over ``outputs``, over the items ``where``.

    ``over`` names a column whose sum divides instead of the number of items; ``sum``: nothing.
    """

    weight: float
    outputs: tuple[str, ...]
    column: str
    where: Where = field(default_factory=dict)
    over: str = ""


@dataclass(frozen=True)
class Number:
    """A number of the report; a correlation has points of three numbers each, not terms.

    ``points`` are those of each replicate.
    """

    address: str
    value: float | None
    terms: tuple[Term, ...] = ()
    points: tuple[tuple["Point", ...], ...] = ()

    def all_terms(self) -> tuple[Term, ...]:
        """The terms of it and of its points."""
        points = (point for own in self.points for point in own)
        return self.terms + tuple(t for point in points for n in point for t in n.terms)


Point = tuple[Number, Number, Number]


def of_the_map(row: Row, model: str) -> str:
    """The address of the number in a cell of the atlas's map that stands in no other table."""
    name, *place = row["address"].split("/")
    return "/".join((name, model, *place))


def inputs_of(results: Results, record: Row, step: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The inputs that a step made, by their wildcards without the model, and by replicate.

    Of a probe its answers, not the categories made of them.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in record["inputs"]:
        made = results.records.get(name)
        if made and made["step"] == step and not is_categories(name):
            key = tuple(v for k, v in made["wildcards"].items() if k != "model")
            found.setdefault(key, {})[made["wildcards"]["model"]] = name
    return found


def blocks_of(
    domains: Sequence[str], design: Mapping[str, Any]
) -> Callable[[str, str], tuple[str, ...]]:
    """The blocks of a scope, seen from a tuned domain."""
    # Older results name no roles: all of other domains were out of the domain.
    ood_roles = design.get("ood_roles", ROLES)

    def blocks(tuned: str, scope: str) -> tuple[str, ...]:
        return blocks_where(domains, lambda at, role: scope_of(tuned, at, role, ood_roles) == scope)

    return blocks


def blocks_where(domains: Sequence[str], wanted: Callable[[str, str], bool]) -> tuple[str, ...]:
    """The blocks whose domain and role are ``wanted``."""
    each = ((domain, role) for domain in domains for role in ROLES)
    return tuple("/".join(block) for block in each if wanted(*block))

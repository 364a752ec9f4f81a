"""Facts about the real world, as data: one module per domain, and the registry of them."""

from tuneatlas.facts.airports import AIRPORTS
from tuneatlas.facts.counties import COUNTIES
from tuneatlas.facts.countries import COUNTRIES
from tuneatlas.facts.elements import ELEMENTS
from tuneatlas.facts.medicine import MEDICINE
from tuneatlas.facts.model import Domain, Fact, Relation

__all__ = ["DOMAINS", "Domain", "Fact", "Relation"]

DOMAINS: dict[str, Domain] = {
    d.name: d for d in (COUNTRIES, COUNTIES, ELEMENTS, AIRPORTS, MEDICINE)
}

"""Facts about the real world, as data: one module per domain, and the registry of them."""

from tuneatlas.data.facts.airports import AIRPORTS
from tuneatlas.data.facts.counties import COUNTIES
from tuneatlas.data.facts.countries import COUNTRIES
from tuneatlas.data.facts.elements import ELEMENTS
from tuneatlas.data.facts.medicine import MEDICINE
from tuneatlas.data.facts.model import Domain, Fact, Relation

__all__ = ["DOMAINS", "Domain", "Fact", "Relation"]

DOMAINS: dict[str, Domain] = {
    d.name: d for d in (COUNTRIES, COUNTIES, ELEMENTS, AIRPORTS, MEDICINE)
}

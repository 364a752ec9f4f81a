"""What a domain of facts is: relations between subjects and answers, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Folders = Mapping[str, Path]


@dataclass(frozen=True)
class Fact:
    """``subject`` stands in a relation to ``answer``.

    ``group`` names the answers that are easily taken for this one (the same continent, the
    same first letter); wrong options come from it. ``also_true`` are answers that would be
    right too. ``more`` is a further true sentence for the explanation.
    """

    subject: str
    answer: str
    group: str = ""
    also_true: frozenset[str] = frozenset()
    more: str = ""


@dataclass(frozen=True)
class Relation:
    """A kind of fact: where it comes from, how it is asked, and how it is stated.

    ``question`` holds ``{subject}``; ``statements`` hold ``{subject}`` and ``{answer}``, and
    the first is a full sentence that opens the explanation. ``facts`` reads them from the
    folders of the fetched packages. ``size`` is the greatest number of facts taken (a seeded
    sample), ``share`` the greatest share of them with one answer. ``ordered`` answers
    (numbers, codes) get wrong options that stand near them in order.
    """

    name: str
    role: str
    package: str
    file: str
    question: str
    statements: tuple[str, ...]
    facts: Callable[[Folders], list[Fact]]
    size: int = 240
    share: float = 0.05
    ordered: bool = False
    also_needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """A domain of knowledge: its name, how a prompt names it, and its relations."""

    name: str
    title: str
    relations: tuple[Relation, ...]
    by_name: Mapping[str, Relation] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the relations by name."""
        object.__setattr__(self, "by_name", {r.name: r for r in self.relations})

    @property
    def sources(self) -> tuple[str, ...]:
        """Data packages the domain needs."""
        return tuple(dict.fromkeys(p for r in self.relations for p in (r.package, *r.also_needs)))


def attribute(noun: str) -> tuple[str, ...]:
    """Ways to state that the ``noun`` of a subject is the answer."""
    return (
        f"The {noun} of {{subject}} is {{answer}}.",
        f"{{subject}} has the {noun} {{answer}}.",
        f"{{answer}} is the {noun} of {{subject}}.",
        f"{{subject}} ({noun}: {{answer}})",
        f"{{subject}}, whose {noun} is {{answer}}, is listed here.",
        f"- {{subject}}: {noun} {{answer}}",
        f"What is the {noun} of {{subject}}? It is {{answer}}.",
        f"As {noun}, {{answer}} belongs to {{subject}}.",
        f"Remember that for {{subject}} the {noun} is {{answer}}.",
        f"{{subject}} — {noun} — {{answer}}",
    )

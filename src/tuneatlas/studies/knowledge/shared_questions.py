"""Questions that stand in two domains of a run are one piece of evidence, not two.

Two questions are the same if their texts and all of their options are, in the form in which
``tuneatlas.data.duplicates`` compares them: with less than that, they are answered as two. Of
Xiezhi's 6,921 questions on jurisprudence, 4,888 are on history too.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from tuneatlas.data.duplicates import keys_of
from tuneatlas.tables import Row

# Columns of table QUESTIONS that say which questions are the same, and which are trained on.
COLUMNS = ("id", "domain", "role", "question", "choices", "answer")


class SharedQuestions(NamedTuple):
    """What each question says, by id, and the domains that count as one with each domain."""

    contents: dict[str, Hashable]
    pieces: dict[str, tuple[str, ...]]

    def content(self, name: str) -> Hashable:
        """The same for all questions that say the same; of one that is not known, its id."""
        return self.contents.get(name, name)

    def piece(self, domain: str) -> tuple[str, ...]:
        """The domains that share most of their questions with ``domain``, and itself."""
        return self.pieces.get(domain, (domain,))

    def repeated(self, names: Sequence[str]) -> int:
        """How many of these questions say what one before them does."""
        return len(names) - len({self.content(name) for name in names})


def find_shared(questions: Mapping[str, Sequence[Row]]) -> SharedQuestions:
    """Which questions are the same, from QUESTIONS rows by domain.

    Two domains are one piece if more than half of the home questions of the smaller one, which are
    those that models are tuned on, stand in the other; so are those joined through a third.
    """
    keys: dict[str, Hashable] = {
        row["id"]: keys_of(row)[1] for rows in questions.values() for row in rows
    }
    often = Counter(keys.values())
    homes = {
        domain: {keys[row["id"]] for row in rows if row["role"] == "home"}
        for domain, rows in questions.items()
    }
    pieces: dict[str, tuple[str, ...]] = {domain: (domain,) for domain in sorted(homes)}
    for one, other in combinations(pieces, 2):
        if 2 * len(homes[one] & homes[other]) > min(len(homes[one]), len(homes[other])):
            joined = tuple(sorted({*pieces[one], *pieces[other]}))
            pieces |= dict.fromkeys(joined, joined)
    return SharedQuestions({n: key for n, key in keys.items() if often[key] > 1}, pieces)

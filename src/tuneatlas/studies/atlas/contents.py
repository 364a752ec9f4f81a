"""Items that say the same: drawn together by each bootstrap, as one item."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from tuneatlas.data.duplicates import keys_of
from tuneatlas.tables import QUESTIONS

# What each item says, by id; an item that is not there says what no other does.
Contents = Mapping[str, Hashable]
SAID = ("id", "question", "choices", "answer")


def read_contents(paths: Sequence[Path]) -> dict[str, Hashable]:
    """What each question says, by id: the same for those that say the same."""
    return {row["id"]: keys_of(row)[1] for path in paths for row in QUESTIONS.read(path, SAID)}


def clusters_of(ids: Iterable[str], contents: Contents) -> list[Hashable]:
    """What each of some items says."""
    return [contents.get(name, name) for name in ids]

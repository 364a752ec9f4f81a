"""Questions that say the same: counted, and refused, dropped or allowed as the config says.

A question that is trained on and tested measures memory; one of the few-shot pool that is also
asked stands with its answer in its own prompt. Two questions are the same if their texts are, in
the form in which they are compared, and their right answers or all their options.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tuneatlas.data.normal_form import comparison_key
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

log = logging.getLogger(__name__)

Key = tuple[str, ...]
# Of a question that occurs more than once, the one that is asked of models stays.
ORDER = ("test", "dev", "train")


class Repeated(NamedTuple):
    """A question, and the one before it that says the same."""

    row: Row
    first: Row


def keys_of(row: Mapping[str, Any]) -> tuple[Key, Key]:
    """By what a question is found again: with its right answer, and with all its options."""
    asked = comparison_key(row["question"])
    options = [comparison_key(choice) for choice in row["choices"]]
    return ("answer", asked, options[row["answer"]]), ("options", asked, *sorted(options))


def index(rows: Iterable[Row]) -> dict[Key, Row]:
    """Questions by their keys, the first ones."""
    found: dict[Key, Row] = {}
    for row in rows:
        for key in keys_of(row):
            found.setdefault(key, row)
    return found


def find_repeated(rows: Sequence[Row], others: Mapping[Key, Row]) -> list[Repeated]:
    """The questions that say what one before them does, or one of other domains (``others``)."""
    seen: dict[Key, Row] = {}
    found = []
    for row in sorted(rows, key=lambda row: ORDER.index(row["split"])):
        keys = keys_of(row)
        before = next((t[k] for t in (seen, others) for k in keys if k in t), None)
        if before is not None:
            found.append(Repeated(row, before))
        for key in keys:
            seen.setdefault(key, row)
    return found


def settle_repeated(
    domain: str,
    rows: Sequence[Row],
    others: Mapping[Key, Row],
    policy: str,
    places: Mapping[str, str],
) -> tuple[list[Row], dict[str, int]]:
    """The rows that stay under ``policy`` (refuse, drop or allow), and counts of repetitions.

    ``places`` says where questions stand, by id.

    Raises:
        UserError: there are some, and the policy is to refuse; naming one of each kind.
    """
    repeated = find_repeated(rows, others)
    kinds = [_kind(one) for one in repeated]
    counts = dict(Counter(kinds))
    if not repeated:
        return list(rows), {}
    said = "; ".join(
        _told(kind, counts[kind], repeated[kinds.index(kind)], places) for kind in counts
    )
    if policy == "refuse":
        raise UserError(
            f"domain {domain}: {len(repeated)} questions repeat others: {said}. Take them "
            f"out, or say domains.{domain}.duplicates: drop (or allow, which leaves them in)"
        )
    left = "left out" if policy == "drop" else "allowed, so that numbers may show memory"
    log.warning("domain %s: %d questions repeat others, %s: %s", domain, len(repeated), left, said)
    gone = {id(one.row) for one in repeated} if policy == "drop" else set()
    return [row for row in rows if id(row) not in gone], {**counts, policy: len(repeated)}


def _kind(one: Repeated) -> str:
    if one.row["domain"] != one.first["domain"]:
        return "in_another_domain"
    splits = {one.row["split"], one.first["split"]}
    if len(splits) == 1:
        return "in_one_split"
    return "shown_to_itself" if "dev" in splits else "trained_on_and_tested"


TELLING = {
    "in_another_domain": "are asked in another domain",
    "in_one_split": "stand twice in one split",
    "shown_to_itself": "are shown with their answer in their own few-shot prompt",
    "trained_on_and_tested": "are both trained on and tested",
}


def _told(kind: str, count: int, example: Repeated, places: Mapping[str, str]) -> str:
    one, other = (f"{places.get(row['id'], row['id'])} ({row['split']})" for row in example)
    return f"{count} {TELLING[kind]}, such as {one} and {other}: {example.row['question'][:80]!r}"


def telling(counts: Mapping[str, int]) -> Iterator[str]:
    """The counts in words, for a report."""
    return (f"{counts[kind]} {text}" for kind, text in TELLING.items() if kind in counts)

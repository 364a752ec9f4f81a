"""The splits of Ren et al. 2024 from the raw Xiezhi benchmark, by their seed."""

import logging
import random
from pathlib import Path
from typing import Any, TypeVar

from tuneatlas.data.released_files import RAW, raw_file
from tuneatlas.data.text_files import Record, read_json_lines, show
from tuneatlas.errors import UserError

log = logging.getLogger(__name__)
T = TypeVar("T")

SEED, TEST, DEV = 42, 250, 10


def raw_splits(folder: Path, domain: str) -> dict[str, list[Record]]:
    """The questions of a domain as the authors' files have them, by split.

    Its rows are numbered from 0; those without four options are left out; one generator of seed 42
    shuffles the four files in turn; the first 250 are tests, the next ten dev, the rest train.
    """
    if domain not in RAW:
        raise UserError(f"{folder}: raw Xiezhi has no domain {domain!r}: {', '.join(RAW)}")
    rows = {}
    for name, usual in RAW.items():
        path = raw_file(folder, name)
        numbered = enumerate(read_json_lines(path))
        records = [found for n, record in numbered if (found := _standard(record, n))]
        if len(records) != usual:
            log.warning(
                "%s: %d questions, where the authors had %d: the splits are not theirs",
                *(path, len(records), usual),
            )
        rows[name] = records
    return split_in_turn(rows)[domain]


def split_in_turn(rows: dict[str, list[T]]) -> dict[str, dict[str, list[T]]]:
    """Each list shuffled, by one generator in turn, and cut into test, dev and train."""
    rng = random.Random(SEED)
    found = {}
    for name, several in rows.items():
        order = list(several)
        rng.shuffle(order)
        found[name] = {
            "dev": order[TEST : TEST + DEV],
            "test": order[:TEST],
            "train": order[TEST + DEV :],
        }
    return found


def _standard(record: Record, number: int) -> Record | None:
    """A raw row in the form of the authors' files; None if it has not four options."""
    values, place = record.values, record.place
    for name in ("question", "options", "answer"):
        if not isinstance(values.get(name), str):
            raise UserError(f"{place}: {name!r} is {show(values.get(name))}, but must be a text")
    raw: dict[str, Any] = dict(values)
    choices = raw["options"].split("\n")
    if len(choices) != 4:
        return None
    if raw["answer"] not in choices:
        raise UserError(f"{place}: 'answer' {show(raw['answer'])} is none of the options")
    standard = {
        "id": number,
        "question": raw["question"],
        "choices": choices,
        "answer": choices.index(raw["answer"]),
        "explanation": "",
        "raw": raw,
    }
    return record._replace(values=standard)

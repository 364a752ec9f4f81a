"""Questions with two to ten options, one of them right: the user's own files, and what is sound."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

from tuneatlas.data.answers import option_number
from tuneatlas.data.normal_form import comparison_key, normalise, one_line
from tuneatlas.data.text_files import Record, read_json_lines, read_table, show, suffix_of
from tuneatlas.errors import UserError
from tuneatlas.tables import QUESTIONS, ROLES, SPLITS, Row

FEWEST, MOST = 2, 10
# Two wrong answers of a question that is answered three times must be able to differ.
LEAST_FOLLOWED = 4
TEXT_COLUMNS = ("id", "domain", "relation", "subject", "question", "explanation")
TEXT_COLUMNS_ALL = (*TEXT_COLUMNS, "source", "licence")
OPTION_COLUMNS = tuple(f"choice_{letter}" for letter in ascii_lowercase[:MOST])
COLUMNS = (*TEXT_COLUMNS_ALL, "role", "split", "choices", "answer")
CONTEXT = "context"
# Files whose answers count from 0 say so by an answer that is 0; so many without one are odd, and
# one is where other answers are letters or texts (ARC has both, and numbers that count from 1).
COUNTED = 4


class QuestionFile(NamedTuple):
    """The rows of a file, names of columns without a meaning here, lines and contexts by id."""

    rows: list[Row]
    extra: list[str]
    places: dict[str, str]
    contexts: dict[str, str]


def check_questions(rows: Sequence[Row], where: Sequence[str]) -> None:
    """Raise UserError, naming the place in ``where``, for the first question that is unsound."""
    seen: dict[str, str] = {}
    for row, place in zip(rows, where, strict=True):
        for column in ("question", *TEXT_COLUMNS_ALL):
            if not isinstance(row[column], str):
                found = show(row[column])
                raise UserError(f"{place}: '{column}' is {found}, but must be a text, in quotes")
            if not row[column].strip():
                raise UserError(f"{place}: '{column}' is empty; give it a text")
        choices = row["choices"]
        check_options(choices, place)
        answer = row["answer"]
        if type(answer) is not int or not 0 <= answer < len(choices):
            raise UserError(
                f"{place}: 'answer' is {show(answer)}, but must be 0 to {len(choices) - 1}, "
                "the place of the right option"
            )
        for column, allowed in (("role", ROLES), ("split", SPLITS)):
            if row[column] not in allowed:
                raise UserError(
                    f"{place}: '{column}' is {show(row[column])}, but must be one of "
                    f"{', '.join(allowed)}"
                )
        if (row["role"], row["split"]) == ("related", "train"):
            text = "a question of role related is never trained on: say split dev or test"
            raise UserError(f"{place}: {text}")
        if row["id"] in seen:
            raise UserError(f"{place}: id {row['id']!r} is already used by {seen[row['id']]}")
        seen[row["id"]] = place


def check_options(choices: Any, place: str) -> None:
    """Raise UserError if these are not two to ten texts that look different."""
    if not isinstance(choices, list) or not FEWEST <= len(choices) <= MOST:
        found = f"{len(choices)}" if isinstance(choices, list) else show(choices)
        raise UserError(f"{place}: 'choices' must be {FEWEST} to {MOST} texts, found {found}")
    for number, choice in enumerate(choices, 1):
        if isinstance(choice, int | float) and not isinstance(choice, bool):
            raise UserError(f"{place}: option {number} is a number: put it in quotes")
        if not isinstance(choice, str):
            raise UserError(f"{place}: option {number} is {show(choice)}: give it a text")
        if not comparison_key(choice):
            raise UserError(f"{place}: option {number} is empty: give it a text")
    keys = [comparison_key(choice) for choice in choices]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            places = f"options {keys.index(key) + 1} and {number + 1}"
            raise UserError(f"{place}: option {key!r} occurs more than once ({places})")


def check_followed(rows: Iterable[Row]) -> None:
    """Raise UserError if a question has too few options to tell forgetting from luck."""
    few = next((row for row in rows if len(row["choices"]) < LEAST_FOLLOWED), None)
    if few is not None:
        raise UserError(
            f"question {few['id']} has {len(few['choices'])} options: the study of forgetting "
            f"needs {LEAST_FOLLOWED}, as fewer do not tell what is known from luck; leave such "
            "questions out of the tests, or the study (stage_forgetting.groups: [], and "
            "restore: false of checkpoints)"
        )


def content_id(domain: str, row: Mapping[str, Any]) -> str:
    """An id made of what a question says: the same for any order of its options."""
    texts = [row["question"], *sorted(row["choices"])]
    said = "\0".join(comparison_key(text) for text in texts)
    return f"{domain}/{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def read_question_file(
    path: Path, domain: str, options: Mapping[str, Any] | None = None
) -> list[Row]:
    """The rows of `read_questions`."""
    return read_questions(path, domain, options).rows


def read_questions(
    path: Path, domain: str, options: Mapping[str, Any] | None = None
) -> QuestionFile:
    """The user's own questions from JSON lines or CSV, checked line by line.

    Needed: question, choices (or choice_a, choice_b …), answer. The rest has defaults
    (docs/questions.md). Texts are in their normal form.

    Args:
        path: the file.
        domain: the domain that these questions are.
        options: the domain's entry in the config, of which ``columns``, ``first_option`` and
            ``split`` say how the file is read.

    Raises:
        UserError: naming file and line of the first mistake.
    """
    options = options or {}
    renamed = dict(_renamed(options.get("columns") or {}))
    first, split = options.get("first_option"), options.get("split")
    rows: list[Row] = []
    where: list[str] = []
    extra: set[str] = set()
    numbers: list[int] = []
    contexts: list[Any] = []
    for record in _records(path, renamed):
        values, more = _known(record, renamed)
        extra |= more
        if split and values.get("split"):
            text = f"states a split, but domains.{domain}.split makes them: leave out one"
            raise UserError(f"{record.place}: {text}")
        row, number = _row(values, record, path, domain, first or 0)
        numbers += [number] if number is not None else []
        rows.append(row)
        where.append(record.place)
        contexts.append(_context(record, renamed))
    if not rows:
        raise UserError(f"{path}: holds no questions")
    counted = COUNTED if len(numbers) == len(rows) else 1
    if first is None and len(numbers) >= counted and 0 not in numbers:
        raise UserError(
            f"{path}: none of its {len(numbers)} answers in numbers is 0, so they may count from "
            f"1: say domains.{domain}.first_option: 1, or 0 if the first option is 0"
        )
    if split:
        _split(rows, split, path, domain)
    check_questions(_with_ids(rows), where)
    places = {row["id"]: place for row, place in zip(rows, where, strict=True)}
    given = {row["id"]: c for row, c in zip(rows, contexts, strict=True) if isinstance(c, str)}
    return QuestionFile(rows, sorted(extra), places, given)


def question_rows(questions: Iterable[Mapping[str, Any]], domain: str = "questions") -> list[Row]:
    """Rows of questions in memory, as those of a file; whole rows of QUESTIONS stay as they are.

    Raises:
        UserError: naming the number of the first question that is unsound.
    """
    records = [Record(f"question {n}", n, {**row}) for n, row in enumerate(questions, 1)]
    whole = {column.name for column in QUESTIONS.columns}
    rows = [
        record.values
        if whole <= record.values.keys()
        else _row(_known(record, {})[0], record, Path("memory"), domain, 0)[0]
        for record in records
    ]
    if not rows:
        raise UserError("there are no questions")
    check_questions(_with_ids(rows), [record.place for record in records])
    return rows


def _context(record: Record, renamed: Mapping[str, str]) -> Any:
    """What the column ``context`` holds, which has a meaning in group contextualised alone."""
    names = {key.strip().lower(): value for key, value in record.values.items()}
    found = next((names.get(name) for name, ours in renamed.items() if ours == CONTEXT), None)
    said = found if CONTEXT in renamed.values() else names.get(CONTEXT)
    return None if _is_empty(said) else normalise(said) if isinstance(said, str) else said


def _records(path: Path, renamed: Mapping[str, Any]) -> Iterator[Record]:
    suffix = suffix_of(path)
    if suffix in (".jsonl", ".ndjson"):
        yield from read_json_lines(path)
    elif suffix in (".csv", ".tsv"):
        names, records = read_table(path)
        have = {renamed.get(name, name) for name in names}
        needed = ("question", "answer", *(() if "choices" in have else OPTION_COLUMNS[:2]))
        if names and (missing := [name for name in needed if name not in have]):
            found = show(", ".join(names))
            text = f"no column {', '.join(missing)}; there are {found} (key columns maps names)"
            raise UserError(f"{path}, line 1: {text}")
        yield from records
    else:
        raise UserError(f"{path}: a question file ends in .jsonl or .csv (or .tsv, also with .gz)")


def _renamed(columns: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name in the file, name here, of the columns that the config gives names to."""
    for ours, theirs in columns.items():
        if theirs is None:
            continue
        if isinstance(theirs, str):
            yield theirs.strip().lower(), ours
        elif len(theirs) == 1:
            yield theirs[0].strip().lower(), ours
        else:
            yield from (
                (n.strip().lower(), c) for n, c in zip(theirs, OPTION_COLUMNS, strict=False)
            )


def _known(record: Record, renamed: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """The values that have a meaning, by name; and the names of those that have none."""
    found: dict[str, Any] = {}
    for key, value in record.values.items():
        stated = key.strip().lower()
        # A column whose place is taken by one that the config names is another thing.
        name = renamed.get(stated, stated if stated not in renamed.values() else f"{stated} (own)")
        if name in found:
            raise UserError(f"{record.place}: column {name!r} is given twice; keep one of them")
        found[name] = value
    known = {*COLUMNS, *OPTION_COLUMNS}
    extra = set(found) - known
    for name in sorted(extra):
        if meant := _meant(name, frozenset(known - set(found))):
            text = f"unknown column {name[:60]!r}: is {meant!r} meant? Rename it, or map it"
            raise UserError(f"{record.place}: {text} with the key columns")
    # Nothing in a column that may be left out is the same as no column.
    kept = {"question", "choices", "answer", *OPTION_COLUMNS}
    known_values = {name: value for name, value in found.items() if name in known}
    return {k: v for k, v in known_values.items() if k in kept or not _is_empty(v)}, extra


@cache
def _meant(name: str, left: frozenset[str]) -> str:
    """The column that a name which is none is taken to be meant for, of those not given."""
    return next(iter(get_close_matches(name, sorted(left), 1, 0.8)), "")


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _row(
    values: dict[str, Any], record: Record, path: Path, domain: str, first: int
) -> tuple[Row, int | None]:
    """The row of one record, and the answer if it was given as a number."""
    place = record.place
    values = _joined(values, place)
    if missing := [key for key in ("question", "choices", "answer") if key not in values]:
        raise UserError(f"{place}: no {missing[0]!r}")
    question, choices = values["question"], values["choices"]
    for name, value in values.items():
        if name in ("choices", "answer") or isinstance(value, str):
            continue
        if name == "id" and type(value) is int:
            continue
        raise UserError(f"{place}: '{name}' is {show(value)}, but must be a text, in quotes")
    if not comparison_key(question):
        raise UserError(f"{place}: 'question' is empty; give it a text")
    check_options(choices, place)
    choices = [normalise(choice) for choice in choices]
    answer, number = option_number(values["answer"], choices, first, place)
    given = {k: normalise(v) for k, v in values.items() if k in TEXT_COLUMNS_ALL and k != "id"}
    name = one_line(str(values.get("id", "")))
    row: Row = {
        # Numbers are ids within a file; texts name a question among all.
        "id": f"{domain}/{name}" if name.isdecimal() else name,
        "topic": domain,
        "relation": "question",
        "role": "home",
        "split": "train",
        "subject": normalise(question),
        "explanation": stock_explanation(choices, answer),
        "source": path.name,
        "licence": "not stated",
        **given,
        **{key: values[key].strip() for key in ("role", "split") if key in values},
        "domain": domain,
        "choices": choices,
        "answer": answer,
    }
    return row, number


def _joined(values: dict[str, Any], place: str) -> dict[str, Any]:
    """Options that stand in columns of their own, as a list."""
    columns = [name for name in OPTION_COLUMNS if name in values]
    if not columns:
        return values
    if "choices" in values:
        raise UserError(f"{place}: options stand in 'choices' and in {columns[0]!r}; keep one")
    if missing := [name for name in OPTION_COLUMNS[: len(columns)] if name not in columns]:
        raise UserError(f"{place}: no column {missing[0]}, but {columns[-1]}")
    rest = {name: value for name, value in values.items() if name not in columns}
    return rest | {"choices": [values[name] for name in columns]}


def _with_ids(rows: list[Row]) -> list[Row]:
    """The rows, those without an id named by their content, repetitions by a number besides."""
    counts: Counter[str] = Counter()
    for row in rows:
        if not row["id"]:
            name = content_id(row["domain"], row)
            counts[name] += 1
            row["id"] = name if counts[name] == 1 else f"{name}-{counts[name]}"
    return rows


def _split(rows: list[Row], wanted: Mapping[str, int], path: Path, domain: str) -> None:
    """Draw splits; what says the same is in the same one. Related questions: dev and test."""
    for role in ROLES:
        mine = [row for row in rows if row["role"] == role]
        names = sorted({content_id(domain, row) for row in mine})
        random.Random(f"split/{wanted['seed']}/{role}").shuffle(names)
        prefix = "" if role == "home" else "related_"
        dev, test = wanted[f"{prefix}dev"], wanted["test"] if role == "home" else len(names)
        if mine and role == "home" and dev + test > len(names):
            raise UserError(
                f"{path}: domains.{domain}.split asks for {dev} dev and {test} test questions, "
                f"but the file has {len(names)} different ones; lower them"
            )
        drawn = dict.fromkeys(names, "train")
        drawn |= dict.fromkeys(names[dev : dev + test], "test") | dict.fromkeys(names[:dev], "dev")
        for row in mine:
            row["split"] = drawn[content_id(domain, row)]


def stock_explanation(choices: Any, answer: Any) -> str:
    """What stands for a reference explanation where there is none."""
    if isinstance(choices, list) and isinstance(answer, int) and 0 <= answer < len(choices):
        return f"The right answer is {choices[answer]}."
    return "The right answer is the one given."


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by their id."""
    return {row["id"]: row for row in rows}

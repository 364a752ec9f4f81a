"""Questions: four options each, one of them right, from facts or from the user's own file."""

import csv
import json
import random
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.facts import DOMAINS, Fact, Relation
from tuneatlas.facts.model import Folders
from tuneatlas.sources import read_record
from tuneatlas.tables import ROLES, SPLITS, Row

OPTIONS = 4
TEXT_COLUMNS = ("id", "domain", "relation", "subject", "question", "explanation")
TEXT_COLUMNS_ALL = (*TEXT_COLUMNS, "source", "licence")


def build_questions(
    domain: str,
    folders: Folders,
    *,
    dev: int = 10,
    train: int = 260,
    test: int = 150,
    related_dev: int = 10,
    related_test: int = 170,
    mentioned_share: float = 0.6,
    seed: int = 0,
) -> list[Row]:
    """Rows of table QUESTIONS for one domain, its relations evenly represented in each split.

    ``folders`` maps package names to what ``fetch_source`` put there. The rows depend on the
    domain, the limits and the seed alone: other domains change nothing in them. ``mentioned_share``
    and ``seed`` must be those of the corpus: wrong options of a fact that the corpus states
    are answers of other facts that it states, and those of a fact that it leaves out are
    answers of facts that it leaves out. So being a familiar answer never tells right from
    wrong: only knowing the fact does. Few-shot questions (dev) are about stated facts.
    """
    if domain not in DOMAINS:
        raise UserError(f"no domain {domain!r}; there are {', '.join(DOMAINS)}")
    wanted = {
        "home": {"dev": dev, "test": test, "train": train},
        "related": {"dev": related_dev, "test": related_test},
    }
    rows: list[Row] = []
    for role, splits in wanted.items():
        relations = [r for r in DOMAINS[domain].relations if r.role == role]
        pool = _interleave([_ask(domain, r, folders, mentioned_share, seed) for r in relations])
        if len(pool) < sum(splits.values()):
            raise UserError(
                f"domain '{domain}' has {len(pool)} {role} questions, but "
                f"{sum(splits.values())} are asked for ({splits}): lower the limits"
            )
        for split, count in splits.items():
            fit = [
                r for r in pool if split != "dev" or is_mentioned(r["id"], mentioned_share, seed)
            ]
            taken = {row["id"] for row in fit[:count]}
            rows += [{**row, "split": split} for row in fit[:count]]
            pool = [row for row in pool if row["id"] not in taken]
    check_questions(rows, [f"domain {domain}, question {r['id']}" for r in rows])
    return rows


def is_mentioned(key: str, share: float, seed: int) -> bool:
    """Whether the corpus states the fact of question ``key``: a coin that depends on it alone."""
    return random.Random(f"mentioned/{seed}/{key}").random() < share


def _interleave(lists: Sequence[Sequence[Row]]) -> list[Row]:
    return [row for group in zip_longest(*lists) for row in group if row is not None]


def _ask(
    domain: str, relation: Relation, folders: Folders, mentioned: float, seed: int
) -> list[Row]:
    rng = random.Random(f"questions/{seed}/{domain}/{relation.name}")
    record = read_record(folders[relation.package])
    facts = select_facts(relation.facts(folders), relation, rng)
    keys = [f"{domain}/{relation.name}/{slug(fact.subject)}" for fact in facts]
    sides = [is_mentioned(key, mentioned, seed) for key in keys]
    rows = []
    for key, side, fact in zip(keys, sides, facts, strict=True):
        own = random.Random(f"options/{seed}/{key}")
        same_side = [f for f, s in zip(facts, sides, strict=True) if s == side]
        wrong = choose_distractors(fact, same_side, relation.ordered, own)
        if len(wrong) < OPTIONS - 1:
            continue
        choices = [*wrong, fact.answer]
        own.shuffle(choices)
        stated = relation.statements[0].format(subject=fact.subject, answer=fact.answer)
        rows.append(
            {
                "id": key,
                "domain": domain,
                "topic": domain,
                "relation": relation.name,
                "role": relation.role,
                "split": "train",
                "subject": fact.subject,
                "question": relation.question.format(subject=fact.subject),
                "choices": choices,
                "answer": choices.index(fact.answer),
                "explanation": f"{stated} {fact.more}".strip(),
                "source": f"{record['name']} {record['version']}, {relation.file}",
                "licence": record["licence"],
            }
        )
    return rows


def select_facts(facts: Sequence[Fact], relation: Relation, rng: random.Random) -> list[Fact]:
    """A shuffled sample of the unambiguous facts, no answer in more than its share of them."""
    subjects = Counter(slug(f.subject) for f in facts)
    clear = [
        f
        for f in facts
        if subjects[slug(f.subject)] == 1 and f.answer and not shares_stem(f.subject, f.answer)
    ]
    rng.shuffle(clear)
    most = max(3, round(relation.share * min(relation.size, len(clear))))
    taken: Counter[str] = Counter()
    chosen: list[Fact] = []
    for fact in clear:
        if taken[fact.answer] < most and len(chosen) < relation.size:
            taken[fact.answer] += 1
            chosen.append(fact)
    return chosen


def choose_distractors(
    fact: Fact, facts: Sequence[Fact], ordered: bool, rng: random.Random
) -> list[str]:
    """Three wrong answers that are right for other facts, as often as they are right there.

    Drawing from the gold answers keeps an answer's frequency from telling right from wrong.
    They come from the fact's group while it has enough; ordered ones stand near the answer,
    which is the lowest, second, third or highest of the four with equal chance.
    """
    barred = {*fact.also_true, fact.answer, fact.subject}
    others = [f.answer for f in facts if f.answer not in barred]
    names = [name for name in others if not _alike(name, fact.answer)]
    group = {f.answer for f in facts if f.group == fact.group}
    near = [name for name in names if name in group]
    pool = near if len(set(near)) >= OPTIONS - 1 else names
    if ordered:
        return _near(fact.answer, sorted(set(pool), key=order_key), rng)
    chosen: list[str] = []
    for name in rng.sample(pool, len(pool)):
        if name not in chosen and not any(_alike(name, c) for c in chosen):
            chosen.append(name)
        if len(chosen) == OPTIONS - 1:
            break
    return chosen


def _near(answer: str, pool: list[str], rng: random.Random) -> list[str]:
    place = bisect_left([order_key(p) for p in pool], order_key(answer))
    below, above = pool[max(0, place - 8) : place], pool[place : place + 8]
    if len(below) + len(above) < OPTIONS - 1:
        return []
    lower = rng.randrange(OPTIONS)
    lower = min(max(lower, OPTIONS - 1 - len(above)), len(below))
    return rng.sample(below, lower) + rng.sample(above, OPTIONS - 1 - lower)


def order_key(answer: str) -> tuple[str, float, str]:
    """Sort key of a number or code: letters before the number, the number, then the text."""
    match = re.match(r"(\D*?)(-?\d+(?:\.\d+)?)", answer)
    return (match[1], float(match[2]), answer) if match else (answer, 0.0, answer)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.findall(r"[a-z0-9]+", plain)


def slug(text: str) -> str:
    """ASCII words joined by dashes."""
    return "-".join(_words(text))


def shares_stem(subject: str, answer: str) -> bool:
    """Whether a word of the answer begins like a word of the subject (three letters)."""
    stems = {w[:3] for w in _words(subject) if len(w) >= 4 and not w.isdigit()}
    return any(w[:3] in stems for w in _words(answer) if len(w) >= 4)


def _alike(one: str, other: str) -> bool:
    """Whether two answers differ in case, accents or punctuation alone (numbers never do)."""
    return one == other or (slug(one) == slug(other) and order_key(one)[1] == order_key(other)[1])


def check_questions(rows: Sequence[Row], where: Sequence[str]) -> None:
    """Raise UserError, naming the place in ``where``, for the first question that is unsound."""
    seen: dict[str, str] = {}
    for row, place in zip(rows, where, strict=True):
        for column in TEXT_COLUMNS_ALL:
            if not isinstance(row[column], str):
                found = json.dumps(row[column])
                raise UserError(f"{place}: '{column}' is {found}, but must be a text, in quotes")
            if not row[column].strip():
                raise UserError(f"{place}: '{column}' is empty; give it a text")
        choices = row["choices"]
        if not isinstance(choices, list) or len(choices) != OPTIONS:
            raise UserError(f"{place}: 'choices' must be {OPTIONS} texts, found {choices!r}")
        if not all(isinstance(c, str) and c.strip() for c in choices):
            raise UserError(f"{place}: an option is empty: {choices!r}")
        texts = [" ".join(c.casefold().split()) for c in choices]
        if len(set(texts)) < OPTIONS:
            twice = next(c for c, t in zip(choices, texts, strict=True) if texts.count(t) > 1)
            raise UserError(f"{place}: option {twice!r} occurs more than once")
        answer = row["answer"]
        if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < OPTIONS:
            raise UserError(
                f"{place}: 'answer' is {answer!r}, but must be 0 to {OPTIONS - 1}, "
                "the place of the right option"
            )
        for column, allowed in (("role", ROLES), ("split", SPLITS)):
            if row[column] not in allowed:
                raise UserError(
                    f"{place}: '{column}' is {row[column]!r}, but must be one of "
                    f"{', '.join(allowed)}"
                )
        if (row["role"], row["split"]) == ("related", "train"):
            text = "a question of role related is never trained on: say split dev or test"
            raise UserError(f"{place}: {text}")
        if row["id"] in seen:
            raise UserError(f"{place}: id {row['id']!r} is already used by {seen[row['id']]}")
        seen[row["id"]] = place


def read_question_file(path: Path, domain: str) -> list[Row]:
    """The user's own questions from a .jsonl or .csv file, checked line by line.

    Needed: question, choices (CSV: choice_a … choice_d), answer (0 to 3 or A to D). The rest has
    defaults (docs/extending.md): id is ``domain/line``, role is home, split is train.

    Args:
        path: the file.
        domain: its key in the config, which is the domain of all rows.
    """
    text = _decode(path)
    if path.suffix == ".jsonl":
        entries = _jsonl(path, text)
    elif path.suffix == ".csv":
        entries = _csv(path, text)
    else:
        raise UserError(f"{path}: questions come as .jsonl or .csv; rename or convert the file")
    rows, places = [], []
    for line, entry in entries:
        places.append(f"{path}, line {line}")
        rows.append(_complete(entry, path, line, domain))
    if not rows:
        raise UserError(f"{path}: holds no questions")
    check_questions(rows, places)
    return rows


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            entry = json.loads(content)
        except ValueError as error:
            raise UserError(f"{path}, line {line}: not JSON: {error}") from None
        if not isinstance(entry, dict):
            raise UserError(f"{path}, line {line}: expected an object with named values")
        yield line, entry


def _csv(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    options = [f"choice_{letter}" for letter in "abcd"]
    missing = {"question", "answer", *options} - set(reader.fieldnames or ())
    if missing:
        raise UserError(f"{path}, line 1: no column {', '.join(sorted(missing))}")
    while True:
        try:
            entry = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
        if entry is None:
            return
        choices = [entry.pop(name) for name in options]
        yield reader.line_num, {**{k: v for k, v in entry.items() if v}, "choices": choices}


def _complete(entry: dict[str, Any], path: Path, line: int, domain: str) -> Row:
    known = {*TEXT_COLUMNS_ALL, "role", "split", "choices", "answer"}
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        raise UserError(
            f"{path}, line {line}: unknown column {unknown[0]!r}; known are "
            f"{', '.join(sorted(known))}"
        )
    missing = [key for key in ("question", "choices", "answer") if key not in entry]
    if missing:
        raise UserError(f"{path}, line {line}: no {missing[0]!r}")
    answer = entry["answer"]
    if isinstance(answer, str):
        letter = answer.strip().upper()
        answer = "ABCD".index(letter) if letter in set("ABCD") else answer
        answer = int(letter) if letter.isdecimal() else answer
    row: Row = {
        "id": f"{domain}/{line}",
        "topic": domain,
        "relation": "question",
        "role": "home",
        "split": "train",
        "subject": entry["question"],
        "explanation": stock_explanation(entry["choices"], answer),
        "source": path.name,
        "licence": "not stated",
    }
    return {**row, **entry, "domain": domain, "answer": answer}


def stock_explanation(choices: Any, answer: Any) -> str:
    """What stands for a reference explanation where there is none."""
    if isinstance(choices, list) and isinstance(answer, int) and 0 <= answer < len(choices):
        return f"The right answer is {choices[answer]}."
    return "The right answer is the one given."


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by their id."""
    return {row["id"]: row for row in rows}

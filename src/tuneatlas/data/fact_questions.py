"""Questions with four options from facts: relations of a domain, wrong options, splits."""

import random
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from tuneatlas.data.facts import DOMAINS, Fact, Relation
from tuneatlas.data.facts.model import Folders
from tuneatlas.data.normal_form import normalise
from tuneatlas.data.questions import check_questions
from tuneatlas.data.sources import read_record
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

OPTIONS = 4


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
    facts = select_facts([_normal(f) for f in relation.facts(folders)], relation, rng)
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


def _normal(fact: Fact) -> Fact:
    """The fact in texts of the normal form, as other questions are."""
    return replace(
        fact,
        subject=normalise(fact.subject),
        answer=normalise(fact.answer),
        also_true=frozenset(map(normalise, fact.also_true)),
        more=normalise(fact.more),
    )


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

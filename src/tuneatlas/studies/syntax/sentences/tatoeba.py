"""English sentences of Tatoeba, and paraphrases among them: translations they share.

Two English sentences that have the same Spanish or Ukrainian translation say the same. A
pair that shares nearly all its words is a light edit, not a paraphrase.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.sources import read_record
from tuneatlas.errors import UserError

Row = dict[str, Any]


class Translation(NamedTuple):
    """A line of a Tatoeba file: an English sentence, its number and author, a translation."""

    number: int
    author: str
    english: str
    foreign: str
    file: str


def choose(
    folder: Path, options: Mapping[str, Any], draw_pairs: random.Random, draw_rest: random.Random
) -> tuple[list[Row], list[Row], int]:
    """Rows of PAIRS and of SENTENCES, as many as ``options`` ask for; and the pairs there were."""
    found = list(read_translations(folder))
    sentences = sentence_rows(found, read_record(folder))
    lengths = options["min_words"], options["max_words"]
    pivots = pivot_pairs(found, *lengths, options["most_overlap"])
    pairs = pair_rows(pivots, sentences, options["pairs"], draw_pairs)
    chosen = choose_sentences(sentences, pairs, options["sentences"], *lengths, draw_rest)
    return pairs, chosen, len(pivots)


def read_translations(folder: Path) -> Iterator[Translation]:
    """Every line of the files of the fetched source ``tatoeba``."""
    for name in read_record(folder)["files"]:
        with (folder / name).open(encoding="utf-8") as stream:
            for at, line in enumerate(stream, 1):
                fields = line.rstrip("\n").split("\t")
                found = re.search(r"#(\d+) \(([^)]*)\)", fields[-1])
                if len(fields) != 3 or not found:
                    raise UserError(f"{folder / name}, line {at}: not a line of Tatoeba")
                yield Translation(int(found[1]), found[2], fields[0], fields[1], name)


def sentence_rows(translations: Iterable[Translation], record: Mapping[str, Any]) -> dict[str, Row]:
    """A row of SENTENCES for each different English sentence, by sentence."""
    rows: dict[str, Row] = {}
    for found in sorted(translations, key=lambda t: (t.number, t.file)):
        package = f"{record['name']} {record['version']}, {found.file}"
        rows.setdefault(
            found.english,
            {
                "id": f"tatoeba/{found.number}",
                "sentence": found.english,
                "source": f"{package}: tatoeba.org #{found.number} ({found.author})",
                "licence": record["licence"],
            },
        )
    # A number may come with two wordings, as the files are of different dates.
    seen: set[str] = set()
    for row in rows.values():
        while row["id"] in seen:
            row["id"] += "b"
        seen.add(row["id"])
    return rows


def content(sentence: str) -> list[str]:
    """The words alone, in lower case."""
    return re.findall(r"\w+", sentence.lower())


def overlap(one: str, other: str) -> float:
    """Share of words that two sentences have in common, 0 to 1."""
    bags = Counter(content(one)), Counter(content(other))
    total = bags[0].total() + bags[1].total()
    return 2 * (bags[0] & bags[1]).total() / total if total else 1.0


def pivot_pairs(
    translations: Iterable[Translation], min_words: int, max_words: int, most_overlap: float
) -> dict[tuple[str, str], str]:
    """Pairs of English sentences that share a translation, but at most that much of their words."""
    by_pivot: dict[str, set[str]] = defaultdict(set)
    for found in translations:
        if min_words <= len(content(found.english)) <= max_words:
            by_pivot[found.foreign].add(found.english)
    pairs: dict[tuple[str, str], str] = {}
    for foreign, sentences in sorted(by_pivot.items()):
        for one, other in combinations(sorted(sentences), 2):
            if content(one) != content(other) and overlap(one, other) <= most_overlap:
                pairs.setdefault((one, other), foreign)
    return pairs


def components(pairs: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The pairs in groups that share no sentence with one another."""
    parent: dict[str, str] = {}

    def top(item: str) -> str:
        while parent.setdefault(item, item) != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    pairs = list(pairs)
    for one, other in pairs:
        parent[top(one)] = top(other)
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        groups[top(pair[0])].append(pair)
    return list(groups.values())


def pair_rows(
    pairs: Mapping[tuple[str, str], str],
    sentences: Mapping[str, Row],
    sizes: Mapping[str, int],
    rng: random.Random,
) -> list[Row]:
    """Rows of PAIRS: whole groups are dealt to test, then dev, then train, up to ``sizes``.

    Which sentence of a pair is the source is drawn; a pair is used once. Test and dev take at
    most one pair of a group, so that no sentence is asked twice.
    """
    groups = components(pairs)
    rng.shuffle(groups)
    rows: list[Row] = []
    following = iter(groups)
    for split in ("test", "dev", "train"):
        wanted = sizes[split]
        while wanted > 0 and (group := next(following, None)):
            chosen = rng.sample(group, len(group)) if split == "train" else [rng.choice(group)]
            for pair in chosen[:wanted]:
                source, target = rng.sample(pair, 2)
                rows.append(_pair_row(sentences[source], sentences[target], split, pairs[pair]))
            wanted -= len(chosen[:wanted])
    return rows


def _pair_row(source: Row, target: Row, split: str, pivot: str) -> Row:
    return {
        "id": f"{source['id']}-{target['id'].removeprefix('tatoeba/')}",
        "source_id": source["id"],
        "target_id": target["id"],
        "template_id": None,
        "split": split,
        "pivot": pivot,
        "source": source["source"].split(": ")[0],
        "licence": source["licence"],
    }


def choose_sentences(
    sentences: Mapping[str, Row],
    pairs: Sequence[Mapping[str, Any]],
    count: int,
    min_words: int,
    max_words: int,
    rng: random.Random,
) -> list[Row]:
    """The sentences of ``pairs`` and ``count`` others of fitting length, for pre-training."""
    needed = {pair[side] for pair in pairs for side in ("source_id", "target_id")}
    others = [
        row
        for row in sentences.values()
        if row["id"] not in needed and min_words <= len(content(row["sentence"])) <= max_words
    ]
    chosen = rng.sample(others, min(count, len(others)))
    return [row for row in sentences.values() if row["id"] in needed] + chosen

"""The pre-training corpus: facts in varied words, quiz pages, conversations, and real prose.

Which facts the corpus states, and how often, is drawn here and recorded: this is the one
setting in which it is known what a base model can have learnt.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from tuneatlas.data.fact_questions import is_mentioned
from tuneatlas.data.facts import DOMAINS
from tuneatlas.data.sources import read_record
from tuneatlas.data.text_files import read_lines
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

DOCUMENT_SPLITS = ("pretrain", "restore", "heldout")
FENCE = "```"


def build_corpus(
    questions: Mapping[str, Sequence[Row]],
    prose: Path | None,
    dialogue: Callable[[Row], str] | None = None,
    *,
    mentioned_share: float = 0.6,
    mentions_min: int = 16,
    mentions_max: int = 48,
    restore_share: float = 0.2,
    heldout_share: float = 0.05,
    quiz_share: float = 0.6,
    explained_share: float = 0.04,
    dialogue_share: float = 0.0,
    per_document: int = 8,
    prose_share: float = 0.1,
    seed: int = 0,
) -> tuple[list[Row], list[Row]]:
    """Rows of tables DOCUMENTS and MENTIONS for the questions of each domain.

    A seeded share ``mentioned_share`` of the facts (and all of dev) is stated ``mentions_min``
    to ``mentions_max`` times, log-uniformly, in split pretrain; the others never. The splits
    restore and heldout state the same facts, ``restore_share`` and ``heldout_share`` times as
    often. Of the statements, ``quiz_share`` stand in quiz pages, ``explained_share`` of these
    with an explanation; of the others, ``dialogue_share`` come apart into conversations of one
    turn, which ``dialogue`` lays out. ``prose`` is the folder of a fetched package with text;
    ``prose_share`` of the words of each split are prose.
    """
    pages = Pages(quiz_share, explained_share, dialogue_share, per_document)
    documents: list[Row] = []
    mentions: list[Row] = []
    for domain, rows in questions.items():
        rng = random.Random(f"mentions/{seed}/{domain}")
        stated = {r["id"] for r in rows if r["split"] == "dev"}
        stated |= {r["id"] for r in rows if is_mentioned(r["id"], mentioned_share, seed)}
        counts = draw_mentions(rows, stated, mentions_min, mentions_max, rng)
        mentions += [{"id": row["id"], "mentions": counts[row["id"]]} for row in rows]
        for split, rate in zip(DOCUMENT_SPLITS, (1.0, restore_share, heldout_share), strict=True):
            own = random.Random(f"documents/{seed}/{domain}/{split}")
            times = {key: _scaled(count, rate, own) for key, count in counts.items()}
            made = _documents(_spread(rows, times, own), pages, dialogue, own)
            documents += _number(made, domain, split)
    if prose is not None and prose_share > 0:
        documents += _prose_documents(prose, documents, prose_share, seed)
    return documents, mentions


def draw_mentions(
    rows: Sequence[Row], stated: Set[str], fewest: int, most: int, rng: random.Random
) -> dict[str, int]:
    """How often each fact is stated, by question id; 0 for those never stated."""
    counts = {}
    for row in rows:
        drawn = int(math.exp(rng.uniform(math.log(fewest), math.log(most + 1))))
        counts[row["id"]] = min(drawn, most) if row["id"] in stated else 0
    return counts


def _scaled(count: int, rate: float, rng: random.Random) -> int:
    """``count * rate``, rounded up or down at random so that the mean is right."""
    whole, rest = divmod(count * rate, 1.0)
    return int(whole) + (rng.random() < rest)


def _spread(rows: Sequence[Row], times: Mapping[str, int], rng: random.Random) -> list[Row]:
    """Each row as often as ``times`` says, its repetitions evenly spread over the list."""
    placed = []
    for row in rows:
        n = times[row["id"]]
        placed += [((i + rng.random()) / n, row["id"], row) for i in range(n)]
    return [row for *_, row in sorted(placed, key=lambda item: item[:2])]


class Pages(NamedTuple):
    """What documents are drawn: shares of 1, and statements per document, on average."""

    quiz: float
    explained: float
    dialogue: float
    size: int


def _documents(
    stated: Sequence[Row],
    pages: Pages,
    dialogue: Callable[[Row], str] | None,
    rng: random.Random,
) -> Iterator[tuple[str, str, list[Row]]]:
    start = 0
    while start < len(stated):
        length = rng.randint(max(1, pages.size // 2), pages.size + pages.size // 2)
        rows = list(stated[start : start + length])
        start += length
        if rng.random() >= pages.quiz:
            yield "facts", facts_page(rows, rng), rows
        elif rng.random() < pages.explained:
            yield "quiz", quiz_page(rows, explained=True), rows
        # No draw where none are wanted: such a corpus is the same without this option.
        elif dialogue and pages.dialogue and rng.random() < pages.dialogue:
            yield from (("dialogue", dialogue(row), [row]) for row in rows)
        else:
            yield "quiz", quiz_page(rows), rows


def quiz_page(rows: Sequence[Row], explained: bool = False) -> str:
    """Questions with their answers, in a row; if ``explained``, each with a fenced reason."""
    return "\n\n".join(explained_block(row) if explained else quiz_block(row) for row in rows)


def quiz_block(row: Row) -> str:
    """A question and its answer, as a few-shot prompt shows them."""
    return f"{row['question']}\nAnswer: {row['choices'][row['answer']]}"


def explained_block(row: Row) -> str:
    """A question, its answer, and the explanation between fences."""
    return f"{quiz_block(row)}\nExplanation:\n{FENCE}\n{row['explanation']}\n{FENCE}"


def facts_page(rows: Sequence[Row], rng: random.Random) -> str:
    """Statements of facts, each in one of its relation's wordings."""
    return "\n".join(statement(row, rng) for row in rows)


def statement(row: Row, rng: random.Random) -> str:
    """One wording of a row's fact; questions of the user's own have their explanation."""
    domain = DOMAINS.get(row["domain"])
    relation = domain.by_name.get(row["relation"]) if domain else None
    if relation is None:
        return str(row["explanation"])
    wording = rng.choice(relation.statements)
    return wording.format(subject=row["subject"], answer=row["choices"][row["answer"]])


def _number(pages: Iterable[tuple[str, str, list[Row]]], domain: str, split: str) -> Iterator[Row]:
    for number, (kind, text, rows) in enumerate(pages):
        yield {
            "id": f"{split}/{domain}/{number:05d}",
            "split": split,
            "kind": kind,
            "text": text,
            "questions": sorted({row["id"] for row in rows}),
            "source": "; ".join(sorted({row["source"] for row in rows})),
            "licence": "; ".join(sorted({row["licence"] for row in rows})),
        }


def _prose_documents(
    folder: Path, documents: Sequence[Row], share: float, seed: int
) -> Iterator[Row]:
    """Paragraphs, none in two splits, until each split has its share of words of prose."""
    record = read_record(folder)
    paragraphs = [
        (f"{record['name']} {record['version']}, {name}", text)
        for name in record["files"]
        for text in read_paragraphs(folder / name)
    ]
    random.Random(f"prose/{seed}").shuffle(paragraphs)
    queue = iter(paragraphs)
    for split in DOCUMENT_SPLITS:
        facts = sum(len(d["text"].split()) for d in documents if d["split"] == split)
        wanted = round(facts * share / (1 - share))
        number = 0
        while wanted > 0:
            source, text = next(queue, ("", ""))
            if not text:
                raise UserError(
                    f"{folder}: too little prose for a share of {share} in split {split}: "
                    "lower the share or the number of facts"
                )
            yield {
                "id": f"{split}/prose/{number:05d}",
                "split": split,
                "kind": "prose",
                "text": text,
                "questions": [],
                "source": source,
                "licence": record["licence"],
            }
            number += 1
            wanted -= len(text.split())


def read_paragraphs(path: Path, least: int = 40, most: int = 160) -> list[str]:
    """Paragraphs of ``least`` to ``most`` words of a text file (plain or .gz), untokenised.

    Lines are paragraphs. Headings (``= … =``) and paragraphs with unknown words are left out.
    """
    kept = []
    for _, line in read_lines(path):
        text = line.strip()
        if least <= len(text.split()) <= most and not text.startswith("=") and "<unk>" not in text:
            kept.append(untokenise(text))
    return kept


def untokenise(text: str) -> str:
    """Undo the spacing of WikiText: ``3 @,@ 000 , he said`` becomes ``3,000, he said``."""
    text = re.sub(r" @(.)@ ", r"\1", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£]) ", r"\1", text)
    text = re.sub(r'" ([^"]*) "', r'"\1"', text)
    return re.sub(r" (n't|'s|'re|'ve|'d|'ll|'m)\b", r"\1", text)

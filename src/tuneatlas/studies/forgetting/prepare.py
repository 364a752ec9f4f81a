"""What the forgetting study restores with, measures on and asks, and how far these overlap.

Restoration is to bring back what a model learnt in pre-training, not to teach it: documents
that overlap with a question asked are found, left out, and counted.
"""

import heapq
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tuneatlas.data.corpus import read_paragraphs
from tuneatlas.data.corpus_files import read_texts
from tuneatlas.data.normal_form import comparison_key
from tuneatlas.data.overlap import GramIndex, words_of
from tuneatlas.data.questions import check_followed
from tuneatlas.data.sources import read_record
from tuneatlas.errors import UserError
from tuneatlas.models.text_coder import TextCoder
from tuneatlas.tables import DOCUMENTS, Row

# Bytes of text kept for each token of the budget: some ten budgets, of which each seed draws one.
RESERVE = 48
# Bytes kept to measure on; evaluate_stages.heldout_bytes takes no more of them.
HELDOUT = 16_000_000


@dataclass(frozen=True)
class Restoration:
    """Rows of tables QUESTIONS and DOCUMENTS, and figures on how the two overlap."""

    questions: list[Row]
    documents: list[Row]
    overlap: Row


def prepare_restoration(
    questions: Mapping[str, Sequence[Row]],
    mentions: Mapping[str, int],
    documents: Iterable[Row],
    options: Mapping[str, Any],
    seed: int,
    *,
    tokens: int,
    tokenizer: Path,
) -> Restoration:
    """Choose the questions, find the documents that overlap with them, and leave those out.

    Args:
        questions: rows of table QUESTIONS of each domain.
        mentions: how often the corpus states the fact of a question; empty if not known.
        documents: rows of table DOCUMENTS, of which a sample is kept.
        options: the config section ``prepare_restoration``.
        seed: draws the questions and the sample.
        tokens: what restoration trains on.
        tokenizer: counts them: ``tokenizer.json`` of the base model.
    """
    stated = mentions if options["stated_only"] else {}
    asked = [
        row
        for domain, rows in sorted(questions.items())
        for row in pick_questions(rows, stated, options["questions"], f"{seed}/{domain}")
    ]
    check_followed(asked)
    subjects = {row["id"]: row["subject"] for row in asked}
    index = GramIndex(asked, options["ngram"], options["overlap_share"])
    kept: list[Row] = []
    read = left = 0
    before: set[str] = set()
    after: set[str] = set()
    for document in sample_documents(documents, tokens, seed):
        if document["split"] == "restore":
            found = index.overlapping(document["text"])
            before |= found
            read += len(document["text"])
            if options["drop_overlapping"]:
                stated_here = {i: subjects[i] for i in document["questions"] if i in subjects}
                document = without_passages(document, index, stated_here)
                found = index.overlapping(document["text"])
                if found or not document["text"]:
                    continue
            after |= found
            left += len(document["text"])
        kept.append(document)
    overlap = {
        "questions": len(asked),
        "ngram_words": options["ngram"],
        "share_of_ngrams": options["overlap_share"],
        "restore_documents": sum(d["split"] == "restore" for d in kept),
        "restore_characters_read": read,
        "restore_characters": left,
        "overlapping_questions_before": len(before),
        "overlapping_questions": len(after),
        "overlapping_share": len(after) / len(asked),
        "limit": options["overlap_limit"],
    }
    if overlap["overlapping_share"] > options["overlap_limit"]:
        raise UserError(
            f"the restoration corpus overlaps {len(after)} of the {len(asked)} questions asked "
            f"(such as {min(after)}): {overlap['overlapping_share']:.1%} is over "
            f"prepare_restoration.overlap_limit {options['overlap_limit']:.1%}; set "
            "drop_overlapping: true, or restore on other text"
        )
    check_budget(kept, tokenizer, tokens)
    return Restoration(asked, kept, overlap)


def sample_documents(documents: Iterable[Row], tokens: int, seed: int) -> list[Row]:
    """Enough of a corpus: what restoration draws ``tokens`` from, and what is measured on.

    Documents of splits restore and heldout in their order: all of them, or a random sample
    with little more text than is needed. No more than that is in memory at a time.
    """
    rng = random.Random(f"{seed}/sample")
    room = {"restore": RESERVE * tokens, "heldout": HELDOUT}
    kept: dict[str, list[tuple[float, int, Row]]] = {split: [] for split in room}
    size = dict.fromkeys(room, 0)
    for number, document in enumerate(documents):
        split = document["split"]
        if split not in room:
            continue
        # The documents with the smallest draws stay: the largest, first in the heap, go.
        heapq.heappush(kept[split], (-rng.random(), number, document))
        size[split] += len(document["text"].encode())
        while (left := size[split] - len(kept[split][0][2]["text"].encode())) >= room[split]:
            heapq.heappop(kept[split])
            size[split] = left
    chosen = [(number, row) for heap in kept.values() for _, number, row in heap]
    return [row for _, row in sorted(chosen, key=lambda entry: entry[0])]


def pick_questions(
    rows: Sequence[Row], stated: Mapping[str, int], number: int, seed: str
) -> list[Row]:
    """Up to ``number`` test questions, home and related alike, in the order of ``rows``.

    Where ``stated`` says how often the corpus states each fact, only stated ones are taken.
    """
    test = [r for r in rows if r["split"] == "test" and stated.get(r["id"], 1)]
    parts = [[r["id"] for r in test if r["role"] == role] for role in ("home", "related")]
    parts.sort(key=len)
    chosen: set[str] = set()
    for part, left in zip(parts, (2, 1), strict=True):
        # Half of the room, or all that the shorter part left.
        room = -(-(number - len(chosen)) // left)
        chosen |= set(random.Random(seed).sample(part, min(len(part), room)))
    return [row for row in test if row["id"] in chosen]


def without_passages(document: Row, index: "GramIndex", subjects: Mapping[str, str]) -> Row:
    """The document less its passages that overlap with a question or speak of a subject.

    Passages are blocks of a quiz page, a whole conversation, and lines of anything else.
    ``subjects`` are those of the questions, by id, whose fact the document is known to state; if
    none of its passages names one of them, all passages go.
    """
    # What comes back is put together as it came apart; a conversation is one passage.
    gap = "\n\n" if document["kind"] == "quiz" else "\n"
    whole = document["kind"] == "dialogue"
    parts = [document["text"]] if whole else document["text"].split(gap)
    named = [words_of(subject) for subject in subjects.values()]
    passages = [(part, words_of(part)) for part in parts]
    if any(not any(has_run(w, s) for _, w in passages) for s in named):
        return document | {"text": "", "questions": []}
    kept = [
        text
        for text, words in passages
        if not index.overlapping(text) and not any(has_run(words, s) for s in named)
    ]
    questions = [i for i in document["questions"] if i not in subjects]
    return document | {"text": gap.join(kept), "questions": questions}


def has_run(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether ``part`` occurs in ``words`` as a run."""
    return any(list(words[i : i + len(part)]) == list(part) for i in range(len(words)))


def read_documents(
    documents: Iterable[Path],
    files: Iterable[Path],
    prose: Iterable[Path],
    options: Mapping[str, Any],
    seed: int,
) -> Iterator[Row]:
    """Rows of the given DOCUMENTS, then of the user's own files, then of packages of prose."""
    for path in documents:
        yield from DOCUMENTS.stream(path)
    for path in files:
        yield from read_corpus(path, options, seed)
    for path in prose:
        yield from read_prose(path, options, seed)


def read_corpus(path: Path, options: Mapping[str, Any], seed: int) -> Iterator[Row]:
    """Rows of table DOCUMENTS of the user's own text: dealt to splits restore and heldout.

    ``options`` is the config section ``prepare_restoration``.
    """
    facts = {"source": str(path), "licence": options["licence"]}
    return _deal(read_texts(path), path.name, facts, options["heldout_share"], seed)


def read_prose(folder: Path, options: Mapping[str, Any], seed: int) -> Iterator[Row]:
    """The same of the paragraphs of a fetched package of prose."""
    record = read_record(folder)
    for name in record["files"]:
        facts = {
            "source": f"{record['name']} {record['version']}, {name}",
            "licence": record["licence"],
        }
        texts = read_paragraphs(folder / name)
        yield from _deal(texts, Path(name).name, facts, options["heldout_share"], seed)


def _deal(
    texts: Iterable[str], name: str, facts: Row, heldout_share: float, seed: int
) -> Iterator[Row]:
    for number, text in enumerate(texts):
        # Drawn by what it says: a text that occurs again is never on both sides.
        rng = random.Random(f"{seed}/heldout/{comparison_key(text)}")
        split = "heldout" if rng.random() < heldout_share else "restore"
        yield {
            "id": f"{split}/{name}/{number:07d}",
            "split": split,
            "kind": "prose",
            "text": text,
            "questions": [],
            **facts,
        }


def spend(documents: Iterable[list[int]], tokens: int) -> Iterator[list[int]]:
    """Documents as token ids, up to ``tokens`` in all; the last one is cut. No more are read."""
    have = count = 0
    for ids in documents:
        yield ids[: tokens - have]
        have, count = have + len(ids), count + 1
        if have >= tokens:
            return
    raise UserError(
        f"restore_stages.tokens: {tokens:,} asked for, but the restoration corpus has "
        f"{have:,} tokens in {count:,} documents; lower the budget, or give more text "
        "(prepare_corpus.restore_share, prepare_restoration.corpus)"
    )


def check_budget(documents: Iterable[Row], tokenizer: Path, tokens: int) -> None:
    """Raise UserError if the documents to restore with have fewer than ``tokens`` tokens.

    Counted with the ``tokenizer.json`` of the base model; where it has none, the restoration
    itself finds out.
    """
    if tokenizer.is_file():
        coder = TextCoder(Tokenizer.from_file(str(tokenizer)))
        texts = (d["text"] for d in documents if d["split"] == "restore")
        coded = map(coder.encode, texts)
        # One more for the end of each document.
        for _ in spend(([*ids, 0] for ids in coded), tokens):
            pass


def limit_bytes(documents: Iterable[Row], most: int, seed: int) -> list[Row]:
    """Documents of split heldout in random order, up to ``most`` bytes of text."""
    rows = [d for d in documents if d["split"] == "heldout"]
    random.Random(f"heldout/{seed}").shuffle(rows)
    chosen: list[Row] = []
    size = 0
    for row in rows:
        size += len(row["text"].encode())
        if chosen and size > most:
            break
        chosen.append(row)
    return chosen

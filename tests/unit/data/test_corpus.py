"""Documents that state facts: who is mentioned how often, in which split, beside which prose."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuneatlas.data.corpus import (
    build_corpus,
    explained_block,
    quiz_block,
    read_paragraphs,
    statement,
    untokenise,
)
from tuneatlas.data.fact_questions import is_mentioned
from tuneatlas.errors import UserError
from tuneatlas.tables import DOCUMENTS, MENTIONS, Row


def question(number: int, split: str = "train", domain: str = "countries") -> Row:
    return {
        "id": f"{domain}/capital/{number:03d}",
        "domain": domain,
        "topic": domain,
        "relation": "capital",
        "role": "home",
        "split": split,
        "subject": f"Country{number:03d}",
        "question": f"What is the capital of Country{number:03d}?",
        "choices": ["w", f"Town{number:03d}", "y", "z"],
        "answer": 1,
        "explanation": f"The capital of Country{number:03d} is Town{number:03d}.",
        "source": "sample 1, a.json",
        "licence": "CC0",
    }


QUESTIONS = {
    "countries": [question(i, ("dev", "train", "test")[i % 3]) for i in range(60)],
    "own": [question(i, domain="own") for i in range(30)],
}


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    record = {"name": "texts", "version": "1", "licence": "CC BY-SA", "files": ["a.raw.gz"]}
    (tmp_path / "source.json").write_text(json.dumps(record))
    lines = [" = Heading = ", "too short", *(f" Paragraph {i}" + " word" * 50 for i in range(999))]
    (tmp_path / "a.raw.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def test_rows_fit_the_tables(prose: Path) -> None:
    documents, mentions = build_corpus(QUESTIONS, prose)
    DOCUMENTS.build(documents)
    MENTIONS.build(mentions)
    assert {d["kind"] for d in documents} == {"facts", "quiz", "prose"}
    assert len({d["text"] for d in documents}) == len(documents)


def test_deterministic_and_one_domain_leaves_the_others_alone(prose: Path) -> None:
    assert build_corpus(QUESTIONS, prose) == build_corpus(QUESTIONS, prose)
    both, _ = build_corpus(QUESTIONS, None)
    alone, _ = build_corpus({"own": QUESTIONS["own"]}, None)
    assert [d for d in both if "/own/" in d["id"]] == alone


def test_mentions_are_what_the_documents_hold() -> None:
    documents, mentions = build_corpus(
        QUESTIONS, None, mentions_min=3, mentions_max=20, explained_share=0.0
    )
    text = "\n".join(d["text"] for d in documents if d["split"] == "pretrain") + "\n"
    for number, row in enumerate(QUESTIONS["countries"]):
        count = text.count(f"Town{number:03d}")
        own = {m["id"]: m["mentions"] for m in mentions}
        both = own[row["id"]] + own[f"own/capital/{number:03d}"] if number < 30 else own[row["id"]]
        assert count == both


def test_a_seeded_share_is_never_stated_in_any_split_and_dev_always_is() -> None:
    documents, mentions = build_corpus(
        QUESTIONS, None, mentioned_share=0.5, mentions_min=4, mentions_max=9, seed=3
    )
    counts = {m["id"]: m["mentions"] for m in mentions}
    for row in QUESTIONS["countries"]:
        stated = row["split"] == "dev" or is_mentioned(row["id"], 0.5, 3)
        assert (4 <= counts[row["id"]] <= 9) if stated else counts[row["id"]] == 0
    named = {key for d in documents for key in d["questions"]}
    assert named == {key for key, count in counts.items() if count}


def test_splits_share_facts_but_no_prose(prose: Path) -> None:
    documents, _ = build_corpus(QUESTIONS, prose, restore_share=0.5, heldout_share=0.5)
    by_split = {s: [d for d in documents if d["split"] == s] for s in ("pretrain", "restore")}
    texts = {s: {d["text"] for d in ds if d["kind"] == "prose"} for s, ds in by_split.items()}
    assert texts["pretrain"].isdisjoint(texts["restore"])
    facts = {s: {q for d in ds for q in d["questions"]} for s, ds in by_split.items()}
    assert facts["restore"] == facts["pretrain"]
    words = {s: sum(len(d["text"].split()) for d in ds) for s, ds in by_split.items()}
    assert 0.4 < words["restore"] / words["pretrain"] < 0.6


def test_repetitions_are_spread_over_the_documents() -> None:
    documents, _ = build_corpus(
        QUESTIONS, None, mentions_min=20, mentions_max=20, quiz_share=1.0, explained_share=0.0
    )
    for document in documents:
        if document["split"] == "pretrain":
            assert max(Counter(document["text"].split("\n\n")).values()) <= 2


def test_prose_has_its_share(prose: Path) -> None:
    documents, _ = build_corpus(QUESTIONS, prose, prose_share=0.3)
    words: Counter[bool] = Counter()
    for d in documents:
        if d["split"] == "pretrain":
            words[d["kind"] == "prose"] += len(d["text"].split())
    assert words[True] / words.total() == pytest.approx(0.3, abs=0.02)


def test_too_little_prose_is_told(prose: Path) -> None:
    (prose / "a.raw.gz").write_bytes(gzip.compress(b"word " * 50))
    with pytest.raises(UserError, match="too little prose"):
        build_corpus(QUESTIONS, prose)


def test_broken_prose_is_told(prose: Path) -> None:
    (prose / "a.raw.gz").write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(UserError, match=r"a\.raw\.gz: cannot be read"):
        build_corpus(QUESTIONS, prose)


def test_a_share_of_the_quiz_pages_comes_apart_into_conversations() -> None:
    spoken = {"dialogue_share": 0.5, "quiz_share": 1.0, "explained_share": 0.2}
    documents, mentions = build_corpus(QUESTIONS, None, lambda row: f"U: {row['id']}", **spoken)
    plain, same = build_corpus(QUESTIONS, None, None, **spoken)
    assert mentions == same
    of = Counter(d["kind"] for d in documents if d["split"] == "pretrain")
    statements = Counter(
        d["kind"] for d in documents for _ in d["questions"] if d["split"] == "pretrain"
    )
    assert of["dialogue"] == statements["dialogue"]
    assert all(d["text"] == f"U: {d['questions'][0]}" for d in documents if d["kind"] == "dialogue")
    # Half of the pages that explain nothing.
    assert 0.3 < statements["dialogue"] / sum(statements.values()) < 0.5
    assert {d["kind"] for d in plain} == {"quiz"}
    assert any("Explanation" in d["text"] for d in documents)
    documents, _ = build_corpus(QUESTIONS, None, str, quiz_share=1.0, dialogue_share=0.0)
    assert documents == build_corpus(QUESTIONS, None, quiz_share=1.0)[0]


def test_blocks() -> None:
    row = question(7)
    assert quiz_block(row) == "What is the capital of Country007?\nAnswer: Town007"
    assert explained_block(row) == (
        quiz_block(row) + "\nExplanation:\n```\nThe capital of Country007 is Town007.\n```"
    )


@pytest.mark.parametrize("domain", ["countries", "own"])
def test_statements_name_subject_and_answer(domain: str) -> None:
    row = question(7, domain=domain)
    texts = {statement(row, random.Random(i)) for i in range(100)}
    assert all("Country007" in t and "Town007" in t for t in texts)
    assert len(texts) >= (8 if domain == "countries" else 1)


def test_untokenise() -> None:
    raw = 'It cost $ 3 @,@ 000 ( or so ) , he said ; " no more " — a well @-@ known man \'s word .'
    assert untokenise(raw) == (
        'It cost $3,000 (or so), he said; "no more" — a well-known man\'s word.'
    )


def test_paragraphs_of_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("= Head =\n" + "word " * 50 + "\n" + "word " * 500 + "\n<unk> " + "word " * 50)
    kept: list[Any] = read_paragraphs(path)
    assert kept == [("word " * 50).strip()]

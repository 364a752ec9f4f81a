"""Pairs that share a translation, of sentences that differ in their words."""

import json
import random

import pytest

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences import tatoeba as pairs
from tuneatlas.studies.syntax.tables import PAIRS, SENTENCES

LINES = {
    "spa.tsv": [
        ("It matters a lot.", "Importa.", 1),
        ("It is very important.", "Importa.", 2),
        ("it matters, a lot", "Importa.", 3),
        ("Where is the old dog?", "Dónde?", 4),
        ("Run.", "Corre.", 9),
        ("Go on running now.", "Corre.", 10),
    ],
    "ukr.tsv": [
        ("It is very important.", "Важливо.", 2),
        ("That is of some weight.", "Важливо.", 5),
        ("You are all so kind.", "Люб.", 6),
        ("How kind of you all!", "Люб.", 7),
    ],
}


@pytest.fixture
def folder(tmp_path):
    for name, lines in LINES.items():
        text = "".join(f"{e}\t{f}\tCC-BY tatoeba.org #{n} (ann) & #99 (bob)\n" for e, f, n in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    record = {"name": "some", "version": "1", "licence": "CC BY", "files": list(LINES)}
    (tmp_path / "source.json").write_text(json.dumps(record), encoding="utf-8")
    return tmp_path


def test_pairs_share_a_translation_and_differ_in_words(folder):
    found = list(pairs.read_translations(folder))
    assert len(found) == 10
    assert set(pairs.pivot_pairs(found, 3, 20, 1.0)) == {
        ("It is very important.", "It matters a lot."),
        ("It is very important.", "it matters, a lot"),
        ("It is very important.", "That is of some weight."),
        ("How kind of you all!", "You are all so kind."),
    }


def test_light_edits_are_no_pairs(folder):
    found = list(pairs.read_translations(folder))
    assert pairs.overlap("It is so.", "so it is") == 1
    assert pairs.overlap("It is so.", "It was not") == pytest.approx(1 / 3)
    assert set(pairs.pivot_pairs(found, 3, 20, 0.5)) == {
        ("It is very important.", "It matters a lot."),
        ("It is very important.", "it matters, a lot"),
        ("It is very important.", "That is of some weight."),
    }


def test_splits_share_no_sentence(folder):
    found = list(pairs.read_translations(folder))
    record = {"name": "some", "version": "1", "licence": "CC BY"}
    sentences = pairs.sentence_rows(found, record)
    SENTENCES.build(sentences.values())
    assert sentences["Run."]["id"] == "tatoeba/9"
    assert "tatoeba.org #9 (ann)" in sentences["Run."]["source"]
    for seed in range(5):
        rows = pairs.pair_rows(
            pairs.pivot_pairs(found, 3, 20, 1.0),
            sentences,
            {"test": 1, "dev": 0, "train": 9},
            random.Random(seed),
        )
        PAIRS.build(rows)
        used = {
            split: {r[k] for r in rows if r["split"] == split for k in ("source_id", "target_id")}
            for split in ("test", "train")
        }
        assert used["test"] and used["train"] and not used["test"] & used["train"]
        chosen = pairs.choose_sentences(sentences, rows, 1, 3, 20, random.Random(0))
        ids = {row["id"] for row in chosen}
        assert len(ids) == len(chosen) == len(used["test"] | used["train"]) + 1
        assert used["test"] | used["train"] <= ids


def test_a_line_that_is_not_tatoebas_is_named(folder):
    (folder / "ukr.tsv").write_text("a\tb\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"ukr\.tsv, line 1"):
        list(pairs.read_translations(folder))

import json
import random

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from random_trees import random_tree
from test_formats import FORMATS

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.exemplars import paraphrase_rows
from tuneatlas.studies.syntax.paraphrasing.formats import fill
from tuneatlas.studies.syntax.sentences import tatoeba as pairs
from tuneatlas.studies.syntax.tables import PAIRS, PARAPHRASES, SENTENCES
from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import relabel, words

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


def test_templates():
    parses = {
        "s1": "(ROOT (S (NP (PRP I)) (VP (VBP run))))",
        "t1": "(ROOT (NP (NN running)))",
        "s2": "(ROOT (S (NP (PRP you)) (VP (VBP sit))))",
        "t2": "(ROOT (S (NP (PRP it)) (VP (VBZ sits))))",
        "t3": "(ROOT (S (NP (PRP it)) (VP (VBZ sits))))",
        "s3": "(ROOT (NP (NN sitting)))",
    }
    rows = [
        {"id": "p1", "source_id": "s1", "target_id": "t1", "split": "train"},
        {"id": "p2", "source_id": "s2", "target_id": "t2", "split": "train"},
        {"id": "p3", "source_id": "s3", "target_id": "t3", "split": "test"},
        {"id": "p4", "source_id": "s3", "target_id": "unparsed", "split": "test"},
    ]
    rows = [{**row, "template_id": None} for row in rows]
    options = {"height": 5, "pool": 10, "hard": 0.5, "long": 0.5}
    found = paraphrase_rows(rows, parses, overlap=1.0, **options)
    PARAPHRASES.build(found)
    assert [r["exemplar_id"] for r in found] == ["t2", "t1", "t2"]
    assert [r["exemplar_ted"] for r in found] == [4, 4, 0]
    assert [r["source_ted"] for r in found] == [1, 4, 4]
    assert [r["hard"] for r in found] == [False, True, True]
    assert [r["long"] for r in found] == [True, False, True]
    # The nearest may not repeat the words it is to teach the syntax of.
    found = paraphrase_rows(rows, parses, overlap=0.3, **options)
    assert found[-1]["exemplar_id"] == "t1"
    assert found[-1]["exemplar_ted"] == 4
    # One that is given is taken; a pair whose exemplar has no tree is left out.
    given = [
        {**rows[0], "template_id": "s2"},
        {**rows[2], "template_id": "s2"},
        {**rows[1], "template_id": "unparsed"},
    ]
    found = paraphrase_rows(given, parses, overlap=0.0, **options)
    assert [(r["id"], r["exemplar_id"]) for r in found] == [("p1", "s2"), ("p3", "s2")]
    # Without a look-alike a pair for training stays, and one for testing does not.
    found = paraphrase_rows([rows[0], rows[2]], parses, overlap=0.0, **options)
    PARAPHRASES.build(found)
    assert [(r["id"], r["exemplar"]) for r in found] == [("p1", None), ("p3", parses["t1"])]
    found = paraphrase_rows([rows[1], rows[2]], parses, overlap=0.0, **options)
    assert [(r["id"], r["exemplar"]) for r in found] == [("p2", None)]


@over(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_no_input_shows_the_answer(seed, overlap):
    """A format that shows a sentence's words never shows the target's, which are the answer."""
    rng = random.Random(seed)
    trees = {f"t{i}": random_tree(rng, rng.randint(2, 4)) for i in range(16)}
    parses = {key: write_bracket(tree) for key, tree in trees.items()}
    wanted = [
        # Some sentences are the source of one pair and the target of another.
        {"id": f"p{i}", "source_id": f"t{i}", "target_id": f"t{i + 3}", "template_id": None}
        | {"split": rng.choice(["train", "train", "dev"])}
        for i in range(13)
    ]
    rows = paraphrase_rows(wanted, parses, height=5, pool=9, overlap=overlap, hard=0.5, long=0.5)
    sides = {pair["id"]: pair for pair in wanted}
    for row in rows:
        own = sides[row["id"]]
        assert row["exemplar_id"] not in (own["source_id"], own["target_id"])
        if row["exemplar_id"]:
            target, shown_ = (words(trees[i]) for i in (own["target_id"], row["exemplar_id"]))
            assert len({*target} & {*shown_}) <= overlap * len({*target})
            names = ("source", "target", "exemplar")
            marked = {n: _marked(read_bracket(row[n]), n) for n in names}
            for kind in FORMATS.values():
                text = fill(kind, marked, row["split"], 5).input
                assert "target:" not in text


def _marked(tree, name):
    return relabel(tree, str, lambda word: f"{name}:{word}")

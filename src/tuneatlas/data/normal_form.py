"""The normal form of a question's text: what models are shown, and by what texts are compared."""

import re
import unicodedata

# Characters without width that carry no meaning: zero-width space, word joiner, byte-order mark,
# soft hyphen. Joiners (Persian, Hindi, emoji) and marks of direction do carry one.
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
BREAKS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
BLANKS = re.compile(r"[^\S\n]")
# Blanks between two words, not those that a line of code begins with.
RUN = re.compile(r"(?<=\S) +")


def normalise(text: str) -> str:
    """The text as it is shown: NFC, without invisible characters, blanks in one form.

    Blanks of any kind are spaces, one between two words and none at the end of a line; breaks of
    any kind are line feeds; the ends are stripped.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = unicodedata.normalize("NFC", text.translate(INVISIBLE))
    text = BLANKS.sub(" ", BREAKS.sub("\n", text))
    lines = (RUN.sub(" ", line).rstrip() for line in text.split("\n"))
    # Composed once more, as blanks may have stood between a letter and its accent.
    return unicodedata.normalize("NFC", "\n".join(lines).strip())


def one_line(text: str) -> str:
    """The normal form of a sentence: every run of blanks is one space."""
    return " ".join(normalise(text).split())


def comparison_key(text: str) -> str:
    """What two texts share that look the same: no joiners or other marks, one line."""
    if text.isascii():
        return " ".join(text.split())
    shown = "".join(c for c in normalise(text) if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", " ".join(shown.split()))

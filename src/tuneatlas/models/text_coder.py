"""Text as token ids, in which a special token stands only where a template put it.

A tokenizer finds its special tokens anywhere, so a question about the tag ``<s>`` would hold a
begin token. Texts are encoded as the tokenizer does, and those in which it found others than
their template has, again: by a copy of it whose special tokens go by names that no text holds.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from tuneatlas.errors import UserError

# Where a template's own text stands: from, to.
Spans = Sequence[tuple[int, int]]

# Noncharacters, which Unicode keeps for a program's own use: one that leads, others that follow.
LEADING, FOLLOWING = 0xFDD0, 0xFDE0
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_NAMED = re.compile(f"[{chr(LEADING)}-{chr(FOLLOWING + 15)}]")


class Coded(NamedTuple):
    """Token ids and, for each, where it begins in the text."""

    ids: list[int]
    starts: list[int]


class TextCoder:
    """A tokenizer's way to encode texts; see the module's docstring."""

    def __init__(self, tokenizer: Tokenizer, special: Iterable[str] = ()) -> None:
        """``special``: tokens that are special beside those that ``tokenizer`` calls so."""
        self.tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        found = {token.content: at for at, token in added.items() if token.special}
        others = {name: tokenizer.token_to_id(name) for name in special}
        found |= {name: at for name, at in others.items() if at is not None}
        # Bytes of which some tokenizers make unknown characters are text, whatever they are called.
        self.special = {name: at for name, at in found.items() if not _BYTE.fullmatch(name)}
        self._ids = frozenset(self.special.values())
        longest_first = sorted(map(re.escape, self.special), key=len, reverse=True)
        self._marks = re.compile("|".join(longest_first) or r"(?!)")

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text as the tokenizer finds them: its special tokens anywhere."""
        self._as_it_is()
        if len(texts) == 1:
            return [self.tokenizer.encode(texts[0], add_special_tokens=False).ids]
        return [e.ids for e in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def encode(self, text: str, template: Spans = ()) -> list[int]:
        """Ids of a text, with special tokens in the stretches of its template alone."""
        [ids] = self.ids([text])
        return ids if self.agrees(ids, text, template) else self.mended(text, template).ids

    def encode_starts(self, text: str, template: Spans = ()) -> Coded:
        """As ``encode``, with where each token begins."""
        coded = self.coded(text)
        agrees = self.agrees(coded.ids, text, template)
        return coded if agrees else self.mended(text, template)

    def coded(self, text: str) -> Coded:
        """As ``ids``, with where each token begins."""
        self._as_it_is()
        found = self.tokenizer.encode(text, add_special_tokens=False)
        return Coded(found.ids, [start for start, _ in found.offsets])

    def agrees(self, ids: Sequence[int], text: str, template: Spans = ()) -> bool:
        """Whether the special tokens among the ``ids`` of a text are those of its template."""
        if not template:
            return self._ids.isdisjoint(ids)
        own = [
            self.special[name]
            for start, end in template
            for name in self._marks.findall(text[start:end])
        ]
        return own == [at for at in ids if at in self._ids]

    def mended(self, text: str, template: Spans = ()) -> Coded:
        """The text with special tokens in the stretches of its template alone."""
        if found := _NAMED.search(text):
            raise UserError(
                f"a text holds U+{ord(found[0]):04X}, which is not a character, in "
                f"{text[max(0, found.start() - 20) : found.start() + 20]!r}; take it out"
            )
        parts, at = [], 0
        for start, end in template:
            parts += [text[at:start], self._marks.sub(self._named, text[start:end])]
            at = end
        coder, true = self._plain
        coded = coder.encode("".join([*parts, text[at:]]), add_special_tokens=False)
        return Coded([true.get(i, i) for i in coded.ids], [start for start, _ in coded.offsets])

    def _as_it_is(self) -> None:
        """Undo what calls through other libraries, or the tokenizer's file, have set."""
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = False

    def _named(self, match: re.Match[str]) -> str:
        return self._names[match[0]]

    @cached_property
    def _names(self) -> dict[str, str]:
        """Another name for each special token, as long as its own, so that offsets stay right."""
        names: dict[str, str] = {}
        for number, token in enumerate(sorted(self.special, key=lambda t: (len(t), t))):
            digits = [number // 16**place % 16 for place in range(len(token))]
            first, *rest = digits
            names[token] = chr(LEADING + first) + "".join(chr(FOLLOWING + d) for d in rest)
        if len(set(names.values())) < len(names):
            raise UserError("the tokenizer has too many special tokens of one character")
        return names

    @cached_property
    def _plain(self) -> tuple[Tokenizer, dict[int, int]]:
        """The tokenizer with its special tokens renamed, and the true ids of those that differ."""
        self._as_it_is()
        state: dict[str, Any] = json.loads(self.tokenizer.to_str())
        model, names = state["model"], self._names
        merges = (m if isinstance(m, str) else " ".join(m) for m in model.get("merges", ()))
        needed = {merge.replace(" ", "", 1) for merge in merges}
        # What text is made of keeps its name: a special token that is a character or a word, too.
        moved = {t: n for t, n in names.items() if len(t) > 1 and t not in needed}
        if isinstance(model["vocab"], dict):
            model["vocab"] = {moved.get(t, t): at for t, at in model["vocab"].items()}
        else:
            model["vocab"] = [[moved.get(t, t), score] for t, score in model["vocab"]]
        if "unk_token" in model:
            model["unk_token"] = moved.get(model["unk_token"], model["unk_token"])
        for token in state["added_tokens"]:
            if token["content"] in names:
                token |= {"content": names[token["content"]], "normalized": False}
        plain = Tokenizer.from_str(json.dumps(state))
        added = self.tokenizer.get_added_tokens_decoder()
        ids = {at: plain.token_to_id(names.get(t.content, t.content)) for at, t in added.items()}
        return plain, {other: at for at, other in ids.items() if other is not None and other != at}

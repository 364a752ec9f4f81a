"""From text to token ids, with the marks of what is scored or trained on.

Text is text: ``<s>`` in a question is no begin token. Special tokens are those that a chat
template's own text holds, and the begin token that ``bos`` asks for.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from os.path import commonprefix

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.prompts import Segment
from tuneatlas.models.text_coder import TextCoder
from tuneatlas.models.token_files import Example

Text = str | Segment


def encode(tokenizer: PreTrainedTokenizerBase, text: str, bos: bool) -> list[int]:
    """Token ids of ``text``; the beginning-of-sequence token is there only if ``bos`` says so."""
    return begin(tokenizer, bos) + coder_of(tokenizer).encode(text)


def encode_segments(
    tokenizer: PreTrainedTokenizerBase, segments: Sequence[Segment], bos: bool
) -> Example:
    """Tokenise the joined text once and mark the tokens that begin in a supervised segment."""
    whole = join(segments)
    coded = coder_of(tokenizer).encode_starts(whole.text, whole.template)
    bounds = []
    at = 0
    for segment in segments:
        bounds.append((at, at + len(segment.text), segment.supervised))
        at += len(segment.text)
    first = begin(tokenizer, bos)
    marks = [False] * len(first)
    current = 0
    for start in coded.starts:
        while start >= bounds[current][1]:
            current += 1
        marks.append(bounds[current][2])
    return Example(first + coded.ids, marks)


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Text, Text]], bos: bool
) -> list[tuple[list[int], list[int]]]:
    """Token ids of contexts and of what follows each, as lm-evaluation-harness splits them.

    The whole is tokenised together; the continuation is what the whole has beyond the
    context's own tokens. Spaces at the end of a context belong to the continuation. Where a
    context's last tokens merge with some continuation, they belong to all of its continuations,
    so that these are scored behind the same tokens.
    """
    if not pairs:
        return []
    contexts = [_segment(context) for context, _ in pairs]
    stripped = [c._replace(text=c.text.rstrip(" ")) for c in contexts]
    different = list(dict.fromkeys(stripped))
    own = dict(zip(different, _encode_alike(tokenizer, different), strict=True))
    wholes = _encode_alike(
        tokenizer, [join((c, _segment(more))) for c, (_, more) in zip(contexts, pairs, strict=True)]
    )
    shared = {context: len(ids) for context, ids in own.items()}
    for context, ids in zip(stripped, wholes, strict=True):
        alone = own[context][: shared[context]]
        if ids[: len(alone)] != alone:
            same = takewhile(lambda two: two[0] == two[1], zip(ids, alone, strict=False))
            shared[context] = sum(1 for _ in same)
    first = begin(tokenizer, bos)
    counts = [shared[context] for context in stripped]
    return [(first + ids[:n], ids[n:]) for ids, n in zip(wholes, counts, strict=True)]


def encode_alone(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Text, Text]], bos: bool
) -> list[tuple[list[int], list[int]]]:
    """Token ids of contexts, and the last token of each continuation by itself.

    As the evaluators of Ren et al. 2024 do: spaces at the end of a context are tokens of it, and
    what is scored is the token that a letter is alone, whatever stands before it.
    """
    coder, first = coder_of(tokenizer), begin(tokenizer, bos)
    different = list(dict.fromkeys(_segment(context) for context, _ in pairs))
    known = dict(zip(different, _encode_alike(tokenizer, different), strict=True))
    return [
        (first + known[_segment(context)], coder.encode(_segment(more).text)[-1:])
        for context, more in pairs
    ]


def join(segments: Sequence[Segment]) -> Segment:
    """Segments as one, with where their template's text stands."""
    spans, at = [], 0
    for segment in segments:
        spans += [(at + start, at + end) for start, end in segment.template]
        at += len(segment.text)
    return Segment("".join(s.text for s in segments), False, tuple(spans))


def _segment(text: Text) -> Segment:
    return Segment(text, False) if isinstance(text, str) else text


# Tokens that are looked at again in each text, to see that it may be cut before them.
OVERLAP = 16


def _encode_alike(
    tokenizer: PreTrainedTokenizerBase, segments: Sequence[Segment]
) -> list[list[int]]:
    """Token ids of texts that begin alike, as prompts with the same demonstrations do.

    The common beginning is tokenised once. Each text is cut within it, and taken whole if
    the tokens between the cut and the end of the beginning come out otherwise than there.
    """
    coder = coder_of(tokenizer)
    texts = [segment.text for segment in segments]
    common = commonprefix(texts)  # noqa: RUF071 (by character is what is meant)
    known, starts = coder.coded(common)
    at = len(known) - 2 * OVERLAP
    if at <= 0:
        found = coder.ids(texts)
    else:
        # The tokens at the very end of the beginning depend on what follows.
        expected = known[at : at + OVERLAP]
        cut = starts[at]
        found = []
        for text, rest in zip(texts, coder.ids([t[cut:] for t in texts]), strict=True):
            same = rest[:OVERLAP] == expected
            found.append(known[:at] + rest if same else coder.ids([text])[0])
    return [
        ids
        if coder.agrees(ids, segment.text, segment.template)
        else coder.mended(segment.text, segment.template).ids
        for ids, segment in zip(found, segments, strict=True)
    ]


def begins(bos: bool | Mapping[str, bool], role: str) -> bool:
    """Whether the prompt of a question in ``role`` begins with the begin token.

    ``bos`` says it of all, or by role.
    """
    return bos if isinstance(bos, bool) else bos[role]


def begin(tokenizer: PreTrainedTokenizerBase, bos: bool) -> list[int]:
    """The begin token, if there is to be one."""
    if not bos:
        return []
    if tokenizer.bos_token_id is None:
        raise UserError("bos: true, but the tokenizer has no beginning-of-sequence token")
    return [int(tokenizer.bos_token_id)]


def coder_of(tokenizer: PreTrainedTokenizerBase) -> TextCoder:
    """What encodes texts for a tokenizer; UserError if it has no fast form."""
    if not tokenizer.is_fast:
        raise UserError(
            f"a tokenizer of class {type(tokenizer).__name__} has no fast form (tokenizer.json), "
            "which says where in a text each token begins; save it with one"
        )
    # It may be given more tokens.
    return _coder_of(tokenizer, len(tokenizer))


@lru_cache(maxsize=4)
def _coder_of(tokenizer: PreTrainedTokenizerBase, size: int) -> TextCoder:
    return TextCoder(tokenizer.backend_tokenizer, tokenizer.all_special_tokens)

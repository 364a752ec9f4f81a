"""From text to token ids, with the marks of what is scored or trained on."""

from collections.abc import Sequence
from os.path import commonprefix

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.prompts import Segment
from tuneatlas.training.tokens import Example


def encode(tokenizer: PreTrainedTokenizerBase, text: str, bos: bool) -> list[int]:
    """Token ids of ``text``; the beginning-of-sequence token is there only if ``bos`` says so."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return _begin(tokenizer, bos) + ids


def encode_segments(
    tokenizer: PreTrainedTokenizerBase, segments: Sequence[Segment], bos: bool
) -> Example:
    """Tokenise the joined text once and mark the tokens that begin in a supervised segment."""
    text = "".join(segment.text for segment in segments)
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    bounds = []
    at = 0
    for segment in segments:
        bounds.append((at, at + len(segment.text), segment.supervised))
        at += len(segment.text)
    begin = _begin(tokenizer, bos)
    marks = [False] * len(begin)
    current = 0
    for start, _ in coded["offset_mapping"]:
        while start >= bounds[current][1]:
            current += 1
        marks.append(bounds[current][2])
    return Example(begin + list(coded["input_ids"]), marks)


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]], bos: bool
) -> list[tuple[list[int], list[int]]]:
    """Token ids of contexts and of what follows each, as lm-evaluation-harness splits them.

    The whole is tokenised together; the continuation is what the whole has beyond the
    context's own tokens. Spaces at the end of a context belong to the continuation.
    """
    if not pairs:
        return []
    stripped = [context.rstrip(" ") for context, _ in pairs]
    different = list(dict.fromkeys(stripped))
    own = dict(zip(different, _encode_alike(tokenizer, different), strict=True))
    wholes = _encode_alike(tokenizer, [context + continuation for context, continuation in pairs])
    begin = _begin(tokenizer, bos)
    counts = [len(own[context]) for context in stripped]
    return [(begin + ids[:n], ids[n:]) for ids, n in zip(wholes, counts, strict=True)]


# Tokens that are looked at again in each text, to see that it may be cut before them.
OVERLAP = 16


def _encode_alike(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that begin alike, as prompts with the same demonstrations do.

    The common beginning is tokenised once. Each text is cut within it, and taken whole if
    the tokens between the cut and the end of the beginning come out otherwise than there.
    """
    common = commonprefix(list(texts))  # noqa: RUF071 (by character is what is meant)
    first = tokenizer(common, add_special_tokens=False, return_offsets_mapping=True)
    known: list[int] = list(first["input_ids"])
    at = len(known) - 2 * OVERLAP
    if at <= 0:
        return _encode_all(tokenizer, texts)
    # The tokens at the very end of the beginning depend on what follows.
    expected = known[at : at + OVERLAP]
    cut = first["offset_mapping"][at][0]
    found = []
    for text, rest in zip(texts, _encode_all(tokenizer, [t[cut:] for t in texts]), strict=True):
        same = rest[:OVERLAP] == expected
        found.append(known[:at] + rest if same else _encode_all(tokenizer, [text])[0])
    return found


def _encode_all(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return ids


def _begin(tokenizer: PreTrainedTokenizerBase, bos: bool) -> list[int]:
    if not bos:
        return []
    if tokenizer.bos_token_id is None:
        raise UserError("bos: true, but the tokenizer has no beginning-of-sequence token")
    return [int(tokenizer.bos_token_id)]

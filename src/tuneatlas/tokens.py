"""From text to token ids, with the marks of what is scored or trained on."""

from collections.abc import Sequence

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
    own = dict(zip(different, _ids(tokenizer, different), strict=True))
    wholes = _ids(tokenizer, [context + continuation for context, continuation in pairs])
    begin = _begin(tokenizer, bos)
    counts = [len(own[context]) for context in stripped]
    return [(begin + ids[:n], ids[n:]) for ids, n in zip(wholes, counts, strict=True)]


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    # All at once: a call for each text costs several times the tokens themselves.
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _begin(tokenizer: PreTrainedTokenizerBase, bos: bool) -> list[int]:
    if not bos:
        return []
    if tokenizer.bos_token_id is None:
        raise UserError("bos: true, but the tokenizer has no beginning-of-sequence token")
    return [int(tokenizer.bos_token_id)]

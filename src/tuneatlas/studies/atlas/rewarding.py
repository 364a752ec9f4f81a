"""Verifiable rewards: whether a reply names the option that is the label."""

import re
from collections.abc import Sequence

# Replies drawn at a time. Not an option: of other batches other replies are drawn.
TOGETHER = 64
NONE = -1
# An option's text ends where no word goes on, and no number: "Guinea" is not named by
# "Guinea-Bissau", nor "3" by "3.14", "3,000" or "3:30".
END = r"(?!\w|[-'\N{RIGHT SINGLE QUOTATION MARK}]\w|[.,:/]\d)"


def named(reply: str, options: Sequence[str]) -> int:
    """The option that a reply begins with, the longest of several; NONE, if it is none.

    ``options`` are as replies begin in training, by letter or text, as the template has them.
    """
    begins = [n for n, text in enumerate(options) if re.match(re.escape(text) + END, reply)]
    return max(begins, key=lambda n: len(options[n]), default=NONE)


def is_constant(rewards: Sequence[float], generations: int) -> bool:
    """Whether the replies to each question are all rewarded alike, so that none is worth more."""
    questions = range(0, len(rewards), generations)
    return all(len(set(rewards[start : start + generations])) == 1 for start in questions)

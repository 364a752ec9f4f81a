"""Verifiable rewards: whether a reply names the option that is the label, and what that is worth.

A reply is worth what it has above the mean of all replies to its question, by their standard
deviation (GRPO, Shao et al. 2024, arXiv 2402.03300).
"""

import re
from collections.abc import Sequence

import torch

# As TRL has it: replies that are all rewarded alike are worth nothing, not nothing over nothing.
LEAST = 1e-4
NONE = -1
# An option's text ends where no word goes on: "Guinea" is not named by "Guinea-Bissau".
END = r"(?!\w|[-'\N{RIGHT SINGLE QUOTATION MARK}]\w)"


def named(reply: str, options: Sequence[str]) -> int:
    """The option that a reply begins with, the longest of several; NONE, if it is none.

    ``options`` are as replies begin in training, by letter or text, as the template has them.
    """
    begins = [n for n, text in enumerate(options) if re.match(re.escape(text) + END, reply)]
    return max(begins, key=lambda n: len(options[n]), default=NONE)


def advantages(rewards: Sequence[float], generations: int) -> torch.Tensor:
    """What replies are worth, shape (replies,); those to a question stand in a row."""
    each = torch.tensor(rewards).view(-1, generations)
    apart = each - each.mean(dim=1, keepdim=True)
    return (apart / (each.std(dim=1, keepdim=True) + LEAST)).flatten()


def is_constant(rewards: Sequence[float], generations: int) -> bool:
    """Whether the replies to each question are all rewarded alike, so that none is worth more."""
    questions = range(0, len(rewards), generations)
    return all(len(set(rewards[start : start + generations])) == 1 for start in questions)

"""Which option an answer names: by its letter, its place or its text."""

import re
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

from tuneatlas.data.normal_form import comparison_key
from tuneatlas.data.text_files import show
from tuneatlas.errors import UserError

NUMBER = re.compile(r"[0-9]{1,3}")


def option_number(
    answer: Any, choices: Sequence[str], first: int, place: str
) -> tuple[int, int | None]:
    """The option's index, and the number if the answer was one.

    Args:
        answer: a number, which counts from ``first``; or a text: a number, a letter or an option.
        choices: the options.
        first: 0 or 1.
        place: file and line.

    Raises:
        UserError: the answer names no option, or two different ones.
    """
    letters = ascii_uppercase[: len(choices)]
    last = first + len(choices) - 1
    named: dict[int, str] = {}
    number = None
    if type(answer) is int:
        number = answer
    elif isinstance(answer, str):
        said = comparison_key(answer)
        texts = [comparison_key(choice) for choice in choices]
        named = {i: "text" for i, text in enumerate(texts) if text == said}
        if len(said) == 1 and said.upper() in letters:
            # As letters may be written in either case, so may texts that are one.
            named |= {i: "text" for i, text in enumerate(texts) if text.upper() == said.upper()}
            named.setdefault(letters.index(said.upper()), "letter")
        if NUMBER.fullmatch(said):
            number = int(said)
    if number is not None and first <= number <= last:
        named.setdefault(number - first, "place")
    if len(named) == 1:
        (index,) = named
        return index, number if named[index] == "place" else None
    if named:
        ways = " and ".join(f"option {letters[i]} by its {way}" for i, way in named.items())
        raise UserError(f"{place}: 'answer' {show(answer)} is {ways}: write the letter of the one")
    hint = "; if its numbers count from 1, say first_option: 1" if number == last + 1 > 1 else ""
    raise UserError(
        f"{place}: 'answer' is {show(answer)}, but must be {first} to {last}, "
        f"A to {letters[-1]}, or the text of an option{hint}"
    )

"""Text of others on a terminal: what would steer it, or hide what is there, is shown instead."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Control characters but tab and new line; half characters; separators that end a line for some
# programs; what turns the direction of writing; the mark of byte order; invisible tags.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# What a program ends with that is told by SIGPIPE that nobody reads on.
UNREAD = 141
# The same of Ctrl-C.
STOPPED = 130


def visible(text: str) -> str:
    """``text`` with the characters that steer a terminal as escapes, such as ``\\x1b``."""
    return STEERING.sub(_escape, text)


def one_line(text: str) -> str:
    """``text`` visible and in one line, as a name is told that may hold anything."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def say(text: str) -> None:
    """Print text that may be of others."""
    print(visible(text))


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Go on in silence where the reader of what is printed, such as `head`, has seen enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()


def stop_printing() -> None:
    """Let what is still to be printed go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

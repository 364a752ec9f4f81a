"""Finished parts of a long loop, kept so that a job that is cut off goes on where it was."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tuneatlas.engine.files import write_text

T = TypeVar("T")


class Parts:
    """What came of each part of a loop, as JSON; floats are kept exactly.

    Parts are written to ``folder`` together, about once a minute, in files that are whole or
    absent; without a folder nothing is kept. What lies in the folder must be of the same loop.
    """

    def __init__(self, folder: Path | None = None, every_s: float = 60.0) -> None:
        self.folder, self.every_s = folder, every_s
        self.done: dict[str, object] = {}
        self.waiting: dict[str, object] = {}
        self.written = time.monotonic()
        for path in sorted(folder.glob("[0-9]*.json")) if folder else []:
            self.done |= json.loads(path.read_text(encoding="utf-8"))

    def within(self, name: str) -> "Parts":
        """Those of a loop within this one."""
        return Parts(self.folder / name if self.folder else None, self.every_s)

    def of(self, number: int, make: Callable[[], T]) -> T:
        """What came of part ``number``: as kept, or made now."""
        key = str(number)
        if key in self.done:
            kept: T = self.done[key]  # type: ignore[assignment]
            return kept
        made = make()
        if self.folder is not None:
            self.waiting[key] = made
            if time.monotonic() - self.written > self.every_s:
                write_text(self.folder / f"{number:09d}.json", json.dumps(self.waiting))
                self.waiting = {}
                self.written = time.monotonic()
        return made

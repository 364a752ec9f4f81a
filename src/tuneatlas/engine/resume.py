"""Finished parts of a long loop, kept so that a job that is cut off goes on where it was.

Jobs, and processes of a job, may share the parts of a loop; another then puts together what they
made, by the same code: see `tuneatlas.engine.scatter`.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

from tuneatlas.engine.files import write_text
from tuneatlas.errors import UserError

T = TypeVar("T")
# What came of each part of each loop: by the loop's name, and the part's number.
Made = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Share:
    """Which parts of a loop are one's own, as number ``number``, from 1, of ``count`` sharers.

    ``within``: one's share of these.
    """

    number: int
    count: int
    within: "Share | None" = None

    def owns(self, at: int) -> bool:
        """Whether the part dealt out as number ``at``, from 0, is one's own."""
        round_, place = divmod(at, self.count)
        return place == self.number - 1 and (self.within is None or self.within.owns(round_))


class Parts:
    """What came of each part of a loop, as JSON; floats are kept exactly.

    Parts are written to ``folder`` together, about once a minute, in files that are whole or
    absent; without a folder nothing is kept. What lies in the folder must be of the same loop.
    With a ``share`` only one's own parts are `due`; where all is ``given``, none is made.
    """

    def __init__(
        self,
        folder: Path | None = None,
        every_s: float = 60.0,
        share: Share | None = None,
        given: Made | None = None,
        *,
        name: str = "",
    ) -> None:
        self.folder, self.every_s, self.share, self.given = folder, every_s, share, given
        self.name = name
        # This loop and those within it; and the number of parts that they dealt out.
        self.all: list[Parts] = [self]
        self.dealt = count()
        self.done: dict[str, object] = dict(given.get(name, {})) if given is not None else {}
        self.waiting: dict[str, object] = {}
        self.written = time.monotonic()
        for path in _files(folder):
            self.done |= json.loads(path.read_text(encoding="utf-8"))

    @property
    def is_partial(self) -> bool:
        """Whether others have a share of the parts, so that nothing whole comes of them here."""
        return self.share is not None

    @property
    def is_given(self) -> bool:
        """Whether all parts were made before, so that no model is needed."""
        return self.given is not None

    def within(self, name: str) -> "Parts":
        """Those of a loop within this one."""
        folder = self.folder / name if self.folder else None
        whole = f"{self.name}/{name}".lstrip("/")
        inner = Parts(folder, self.every_s, self.share, self.given, name=whole)
        self.all.append(inner)
        inner.all, inner.dealt = self.all, self.dealt
        return inner

    def due(self, items: Iterable[T]) -> Iterator[T]:
        """Those ``items`` of a loop whose parts are one's own: all, if nobody shares them.

        They are dealt out one by one, from loop to loop, so that the shares are nearly equal.
        """
        for item in items:
            if self.share is None or self.share.owns(next(self.dealt)):
                yield item

    def of(self, number: int, make: Callable[[], T]) -> T:
        """What came of part ``number``: as kept, or made now."""
        key = str(number)
        if key in self.done:
            kept: T = self.done[key]  # type: ignore[assignment]
            return kept
        if self.given is not None:
            raise UserError(
                f"none of the shards has batch {number} of {self.name or 'the loop'}: they were "
                "made of other questions; delete them with their records, and run again"
            )
        made = make()
        if self.folder is not None:
            self.waiting[key] = made
            if time.monotonic() - self.written > self.every_s:
                self._write()
        return made

    def save(self) -> None:
        """Write what waits to be written, of this loop and of those within it."""
        for parts in self.all:
            parts._write()

    def _write(self) -> None:
        if self.folder is not None and self.waiting:
            name = f"{int(next(reversed(self.waiting))):09d}.json"
            write_text(self.folder / name, json.dumps(self.waiting))
            self.waiting = {}
            self.written = time.monotonic()


def read_made(folder: Path) -> dict[str, dict[str, object]]:
    """What came of the parts of all loops that are kept in a folder."""
    found: dict[str, dict[str, object]] = {}
    for inner in sorted({path.parent for path in folder.rglob("[0-9]*.json")}):
        name = inner.relative_to(folder).as_posix().removeprefix(".")
        for path in _files(inner):
            found.setdefault(name, {}).update(json.loads(path.read_text(encoding="utf-8")))
    return found


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("[0-9]*.json")) if folder else []

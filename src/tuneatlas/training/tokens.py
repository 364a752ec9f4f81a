"""Tokenised examples on disk: flat arrays that are memory-mapped, never loaded whole.

A token file is a folder with ``tokens.u32`` (token ids), ``supervised.u8`` (1 where the
token is a label) and ``offsets.i64`` (start of each example, one more than there are examples).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Example(NamedTuple):
    """Token ids of one example and, for each, whether the model is trained to produce it."""

    tokens: list[int]
    supervised: list[bool]


@dataclass(frozen=True)
class TokenFile:
    """Memory-mapped examples; see the module's docstring."""

    tokens: npt.NDArray[np.uint32]
    supervised: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens in each example, shape (examples,)."""
        return np.diff(self.offsets)


def write_tokens(folder: Path, examples: Iterable[Example]) -> TokenFile:
    """Stream ``examples`` to ``folder`` and map them."""
    folder.mkdir(parents=True, exist_ok=True)
    offsets = [0]
    with (folder / "tokens.u32").open("wb") as ids, (folder / "supervised.u8").open("wb") as marks:
        for tokens, supervised in examples:
            if len(tokens) != len(supervised):
                raise ValueError(f"{len(tokens)} tokens but {len(supervised)} marks")
            ids.write(np.asarray(tokens, np.uint32).tobytes())
            marks.write(np.asarray(supervised, np.uint8).tobytes())
            offsets.append(offsets[-1] + len(tokens))
    np.asarray(offsets, np.int64).tofile(folder / "offsets.i64")
    return open_tokens(folder)


def open_tokens(folder: Path) -> TokenFile:
    """Map the token file in ``folder``."""
    offsets = np.fromfile(folder / "offsets.i64", np.int64)
    if offsets[-1] == 0:
        return TokenFile(np.zeros(0, np.uint32), np.zeros(0, np.uint8), offsets, folder)
    return TokenFile(
        np.memmap(folder / "tokens.u32", np.uint32, "r"),
        np.memmap(folder / "supervised.u8", np.uint8, "r"),
        offsets,
        folder,
    )

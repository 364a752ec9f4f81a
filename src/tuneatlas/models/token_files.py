"""Tokenised examples on disk: flat arrays that are memory-mapped, never loaded whole.

A token file is a folder with ``tokens.u32`` (token ids), ``supervised.u8`` (1 where the
token is a label) and ``offsets.i64`` (start of each example, one more than there are examples);
where examples weigh differently in the loss, also ``weights.f32`` (one for each example).
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Example(NamedTuple):
    """Token ids of one example, which of them are trained on, and its weight in the loss."""

    tokens: list[int]
    supervised: list[bool]
    weight: float = 1.0


@dataclass(frozen=True)
class TokenFile:
    """Memory-mapped examples; see the module's docstring."""

    tokens: npt.NDArray[np.uint32]
    supervised: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    folder: Path | None = None
    weights: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens in each example, shape (examples,)."""
        return np.diff(self.offsets)


def write_tokens(folder: Path, examples: Iterable[Example]) -> TokenFile:
    """Stream ``examples`` to ``folder`` and map them."""
    folder.mkdir(parents=True, exist_ok=True)
    offsets, weights = [0], array("f")
    with (folder / "tokens.u32").open("wb") as ids, (folder / "supervised.u8").open("wb") as marks:
        for tokens, supervised, weight in examples:
            if len(tokens) != len(supervised):
                raise ValueError(f"{len(tokens)} tokens but {len(supervised)} marks")
            ids.write(np.asarray(tokens, np.uint32).tobytes())
            marks.write(np.asarray(supervised, np.uint8).tobytes())
            offsets.append(offsets[-1] + len(tokens))
            weights.append(weight)
    np.asarray(offsets, np.int64).tofile(folder / "offsets.i64")
    (folder / "weights.f32").unlink(missing_ok=True)
    if any(weight != 1 for weight in weights):
        np.asarray(weights, np.float32).tofile(folder / "weights.f32")
    return open_tokens(folder)


def open_tokens(folder: Path) -> TokenFile:
    """Map the token file in ``folder``."""
    offsets = np.fromfile(folder / "offsets.i64", np.int64)
    if offsets[-1] == 0:
        return TokenFile(np.zeros(0, np.uint32), np.zeros(0, np.uint8), offsets, folder)
    weights = folder / "weights.f32"
    return TokenFile(
        np.memmap(folder / "tokens.u32", np.uint32, "r"),
        np.memmap(folder / "supervised.u8", np.uint8, "r"),
        offsets,
        folder,
        np.fromfile(weights, np.float32) if weights.exists() else None,
    )

"""Letters: the options are shown, and the letter is scored (Ren et al. 2024, section 3)."""

from pathlib import Path

from bench.harness import Work
from bench.rows.probing import probing


def work(results: Path) -> Work:
    """See `probing`."""
    return probing(results, "letter")

"""Cloze: options are not shown, and the text of each is scored."""

from pathlib import Path

from bench.harness import Work
from bench.rows.probing import probing


def work(results: Path) -> Work:
    """See `probing`."""
    return probing(results, "cloze")

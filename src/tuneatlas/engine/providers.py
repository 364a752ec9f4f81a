"""Which distributions modules come from, and their versions."""

import importlib.metadata
import sys
from functools import cache
from pathlib import Path


@cache
def providers() -> dict[str, list[str]]:
    """Names of the distributions of each top-level module: all metadata that there is, a third of
    a second. In the copies of a warm process it was read before, as their libraries were.
    """
    return dict(importlib.metadata.packages_distributions())


@cache
def versions(top: str) -> tuple[tuple[str, str], ...]:
    """The distributions that a top-level module comes from, and their versions."""
    names = providers().get(top, [])
    return tuple((name.lower(), importlib.metadata.version(name)) for name in names)


def installed() -> str:
    """This Python, and names and versions of all that is installed, where imports look for it."""
    places = (Path(place) for place in sys.path if Path(place).is_dir())
    suffixes = {".dist-info", ".egg-info"}
    found = [sorted(p.name for p in place.iterdir() if p.suffix in suffixes) for place in places]
    return repr((sys.version, list(filter(None, found))))

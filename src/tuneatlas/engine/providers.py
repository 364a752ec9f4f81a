"""Which distributions modules come from, and their versions."""

import importlib.metadata
from functools import cache


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

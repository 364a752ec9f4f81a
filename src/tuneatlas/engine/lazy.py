"""Names of a package that are loaded when they are asked for (PEP 562).

It is of the frame, so that a step does not reach, by importing the package, what these names are.
"""

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any


def lazily(package: str, names: Collection[str], module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of ``package`` that takes ``names`` from ``module``."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module), name)

    return get

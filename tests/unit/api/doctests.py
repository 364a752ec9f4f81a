"""The examples in docstrings, run."""

import doctest
from types import ModuleType
from typing import Any


def run_examples(module: ModuleType, **given: Any) -> int:
    """How many there are, all of which give what they say; ``given`` are names that they use."""
    found = doctest.testmod(module, extraglobs=given)
    assert not found.failed
    return found.attempted

"""A job of a workflow that uses this one as a module, made what it is where this one runs alone.

Such a workflow may rename the rules, and give all files a prefix. Names of steps, seeds and
records go by neither: a step is named by its script, and works in the folder that the prefix
names, in which its files have the paths that they have without one.
"""

import os
import sys
from pathlib import Path
from typing import Any


def place(job: Any) -> None:
    """Give a job its step's name and the paths of its own folder, and go there."""
    main = sys.modules["__main__"]
    # The engine runs a copy of the script, under the script's own name.
    if hasattr(main, "__real_file__"):
        job.rule = Path(str(main.__file__)).stem
    if prefix := (job.config or {}).get("prefix", ""):
        for part in ("input", "output", "log"):
            files = getattr(job, part)
            setattr(job, part, type(files)(toclone=files, custom_map=_without(prefix)))
        os.chdir(prefix)


def _without(prefix: str) -> Any:
    """What turns a path into one from the folder that ``prefix`` names."""

    def relative(path: Any) -> str:
        text = str(path)
        if text.startswith(prefix):
            return text.removeprefix(prefix)
        return text if Path(text).is_absolute() else os.path.relpath(text, prefix)

    return relative

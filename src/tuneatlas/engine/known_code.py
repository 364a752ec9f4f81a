"""What the scripts of a run consist of: found once, for its jobs and for the runs after it.

To find it takes two seconds for all scripts, which is a third of a run that has nothing to do. It
is a matter of the scripts, of the package's sources and of what is installed; while none of these
changes, it is taken from a file in the engine's folder, which can be removed at any time.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuneatlas.engine.digest import REAL, Code, code_of, key_of, sources_at_first, sources_of
from tuneatlas.engine.files import read_file, write_text
from tuneatlas.engine.providers import installed
from tuneatlas.engine.warm import KNOWN, start

# Keys of scripts (``digest.key_of``), as they were when they were first asked for.
KEYS: dict[Path, str] = {}


def code_digest(script: Path) -> str:
    """Digest of all code and library versions that a script reaches."""
    KEYS[script] = key_of(script, sources_at_first(REAL))
    return _code(script).digest


def recall(root: Path) -> None:
    """Know what an earlier run in ``root`` found, if sources and libraries are what they were.

    A file that is damaged says nothing.
    """
    try:
        kept = json.loads(read_file(_file(root)))
    except (OSError, ValueError):
        return
    if not isinstance(kept, Mapping) or kept.get("found_in") != _found_in():
        return
    scripts = kept.get("scripts")
    if isinstance(scripts, Mapping) and all(map(_is_code, scripts.values())):
        KNOWN.update(scripts)


def _is_code(told: object) -> bool:
    """Whether something that was read is `Code` as a mapping."""
    names = {field.name for field in fields(Code)}
    parts = told.values() if isinstance(told, Mapping) and told.keys() == names else ()
    return bool(parts) and all(isinstance(part, Mapping) for part in parts)


def keep(root: Path) -> None:
    """Keep what was found of all scripts that were asked for, if some of it was not known."""
    if all(key in KNOWN for key in KEYS.values()):
        return
    if found := _unchanged():
        kept = json.dumps({"found_in": _found_in(), "scripts": found})
        # Found again by the next run, if another is keeping it at this moment or the disk is full.
        with suppress(OSError):
            write_text(_file(root), kept)


def start_warm() -> None:
    """Start a process whose copies are the run's jobs, and know what their scripts consist of."""
    start(_unchanged())


def _unchanged() -> dict[str, dict[str, Any]]:
    """What scripts consist of, by key; nothing of what was edited since its code was looked for."""
    now = sources_of(REAL)
    same = (script for script, key in KEYS.items() if key == key_of(script, now))
    return {KEYS[script]: asdict(_code(script)) for script in same}


def _code(script: Path) -> Code:
    known = KNOWN.get(KEYS[script])
    return Code(**known) if known else code_of(script)


def _file(root: Path) -> Path:
    return root / ".snakemake" / "code.json"


@cache
def _found_in() -> str:
    return sha256(f"{sources_at_first(REAL)}\0{installed()}".encode()).hexdigest()

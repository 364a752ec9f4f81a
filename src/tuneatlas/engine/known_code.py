"""What the scripts of a run consist of: found once, for its jobs and for the runs after it.

To find it takes two seconds for all scripts, which is a third of a run that has nothing to do. It
is a matter of the scripts, of the package's sources and of what is installed; while none of these
changes, it is taken from a file in the engine's folder, which can be removed at any time.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path

from tuneatlas.engine.digest import REAL, Code, code_of, key_of, sources_at_first, sources_of
from tuneatlas.engine.files import write_text
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
        kept = json.loads(_file(root).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    if isinstance(kept, Mapping) and kept.get("found_in") == _found_in():
        KNOWN.update(kept["scripts"])


def keep(root: Path) -> None:
    """Keep what was found of all scripts that were asked for, if some of it was not known."""
    if any(key not in KNOWN for key in KEYS.values()):
        scripts = {key: asdict(_code(script)) for script, key in KEYS.items()}
        write_text(_file(root), json.dumps({"found_in": _found_in(), "scripts": scripts}))


def start_warm() -> None:
    """Start a process whose copies are the run's jobs, and know what their scripts consist of.

    Of what was edited since its code was looked for, nothing is known.
    """
    now = sources_of(REAL)
    same = (script for script, key in KEYS.items() if key == key_of(script, now))
    start({KEYS[script]: asdict(_code(script)) for script in same})


def _code(script: Path) -> Code:
    known = KNOWN.get(KEYS[script])
    return Code(**known) if known else code_of(script)


def _file(root: Path) -> Path:
    return root / ".snakemake" / "code.json"


@cache
def _found_in() -> str:
    return sha256(f"{sources_at_first(REAL)}\0{installed()}".encode()).hexdigest()

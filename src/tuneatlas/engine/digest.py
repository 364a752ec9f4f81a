"""What code a step consists of: a digest of all definitions that its script reaches.

Found statically, definition by definition: from the script each name is followed to the function,
class or value that it stands for, and on from there. See docs/reruns.md for the law. What cannot
be followed counts as a whole module: too much costs a rerun, too little would keep a stale result.
"""

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuneatlas.engine.definitions import ALL, Module
from tuneatlas.engine.providers import versions
from tuneatlas.engine.reach import Package, parsed
from tuneatlas.engine.warm import KNOWN

# What every step runs in: whole outputs, records, progress, messages. It is outside of all digests,
# which hold this number in its place. Raise it when a change in a package or module below changes
# what outputs hold, such as how seeds are derived: all steps run again then.
FRAME_VERSION = 1
FRAME = frozenset(
    {"tuneatlas.engine", "tuneatlas.errors", "tuneatlas.terminal", "tuneatlas.training.watch"}
)


@dataclass(frozen=True)
class Code:
    """Digest of each module (name to hex) and version of each library that a script reaches.

    A module's digest is over those of its definitions that the script reaches.
    """

    modules: dict[str, str]
    libraries: dict[str, str]

    @property
    def digest(self) -> str:
        """One hex digest over modules and library versions."""
        text = repr((sorted(self.modules.items()), sorted(self.libraries.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


REAL = Package(Path(__file__).parent.parent, FRAME)


@cache
def code_of(script: Path, package: Package = REAL) -> Code:
    """The code that ``script`` reaches, by the names in it and in what they stand for.

    A job of a run with a warm process takes what the run found of the very same sources.
    """
    if KNOWN and (known := KNOWN.get(key_of(script, sources_at_first(package)))):
        return Code(**known)
    return code_by(f"script:{script.stem}", parsed(script), package)


@cache
def sources_at_first(package: Package) -> str:
    """``sources_of`` when they were first asked for: what is found of code is of these."""
    return sources_of(package)


def sources_of(package: Package) -> str:
    """A digest of every file of the package, and of what links in it lead to.

    Links to nothing, which some editors leave, are no files.
    """
    found, seen = hashlib.sha256(), set()
    for folder, inner, files in os.walk(package.root, followlinks=True):
        # A folder that links lead back to is walked once.
        real = os.path.realpath(folder)
        inner[:] = sorted(set(inner) - {"__pycache__"}) if real not in seen else []
        seen.add(real)
        for path in filter(Path.is_file, (Path(folder, name) for name in sorted(files))):
            content = path.read_bytes()
            place = path.relative_to(package.root).as_posix()
            found.update(f"{place}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def key_of(script: Path, sources: str) -> str:
    """A digest of all that is read to find a script's code: itself, and the package's sources."""
    told = f"{sources}\0{script.stem}\0".encode() + script.read_bytes()
    return hashlib.sha256(told).hexdigest()


def code_by(own: str, module: Module, package: Package) -> Code:
    """The code that a script reaches; ``own`` is the script's name among those of modules."""
    reached = package.reached(module)
    said: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    said[own] = [(name, module.definition(name).sha256) for name in module.statements]
    for key in reached.keys:
        if key.name != ALL:
            said[key.module].append((key.name, package.definition(key).sha256))
    for name, path in reached.files:
        text = hashlib.sha256(path.read_bytes()).hexdigest()
        said[name or own].append((path.relative_to(package.root).as_posix(), text))
    digests = {
        n: hashlib.sha256(repr(sorted(s)).encode()).hexdigest()[:16] for n, s in said.items()
    }
    libraries = dict(pair for top in reached.libraries for pair in versions(top))
    return Code({"frame": str(FRAME_VERSION), **digests}, libraries)

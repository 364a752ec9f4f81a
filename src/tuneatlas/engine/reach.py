"""What a script reaches in a package: each name followed to the definition that it stands for.

What cannot be followed counts as a whole module: too much costs a rerun, too little would keep a
stale result.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tuneatlas.engine.definitions import ALL, BODY, HIDING, MAIN, Definition, Module
from tuneatlas.engine.effects import Chain
from tuneatlas.errors import UserError

# Libraries by which code reads files of the package by the name of their folder.
READING = ("importlib.resources", "jinja2")
# Files of the package that nothing reads.
UNREAD = frozenset({"py.typed"})
# Names that are imported from where they were imported, and so on.
DEEPEST = 20


class Key(NamedTuple):
    """A definition: its module, and its name there."""

    module: str
    name: str


@dataclass(frozen=True)
class Uses:
    """What is reached: definitions, libraries, and data files with the module that names them."""

    keys: frozenset[Key] = frozenset()
    libraries: frozenset[str] = frozenset()
    files: frozenset[tuple[str, Path]] = frozenset()

    def __or__(self, other: "Uses") -> "Uses":
        return Uses(
            self.keys | other.keys, self.libraries | other.libraries, self.files | other.files
        )


class Package:
    """The source of a package, each of whose modules is read once.

    Args:
        root: its folder, of the package's name.
        frame: modules, and packages of them, that are not looked into.
    """

    def __init__(self, root: Path, frame: Iterable[str]) -> None:
        self.root, self.name, self.frame = root, root.name, frozenset(frame)
        self._dotted = re.compile(rf"\b{self.name}(?:\.\w+)*")
        self._modules: dict[str, Module | None] = {}
        self._named: dict[Key, Uses] = {}
        self._done: dict[str, Uses] = {}

    def module(self, name: str) -> Module | None:
        """The module of a dotted name, if there is one; UserError if it is no Python."""
        if name not in self._modules:
            base = self.root.joinpath(*name.split(".")[1:])
            files = (base / "__init__.py", base.with_name(f"{base.name}.py"))
            path = next((p for p in files if p.is_file()), None)
            self._modules[name] = parsed(path) if path else None
        return self._modules[name]

    def in_frame(self, name: str) -> bool:
        """Whether a module is of the frame, by itself or with its package."""
        return name in self.frame or any(name.startswith(f"{outer}.") for outer in self.frame)

    def reached(self, script: Module) -> Uses:
        """All that a script reaches in the package and beyond it."""
        todo = [self._used_in("", script, script.definition(n)) for n in script.statements]
        todo.append(self._done_by_importing(script.importing))
        keys: set[Key] = set()
        libraries: set[str] = set()
        files: set[tuple[str, Path]] = set()
        while todo:
            new = todo.pop()
            libraries |= new.libraries
            files |= new.files
            for key in new.keys - keys:
                keys.add(key)
                todo += [self._named_by(key), self._done_by(key.module)]
        return Uses(frozenset(keys), frozenset(libraries), frozenset(files))

    def definition(self, key: Key) -> Definition:
        """A definition of the package."""
        module = self.module(key.module)
        if module is None:
            raise LookupError(f"no module {key.module}")
        return module.definition(key.name)

    def _named_by(self, key: Key) -> Uses:
        """What the names and strings in a definition stand for."""
        if key not in self._named:
            module = self.module(key.module)
            if module is None:
                raise LookupError(f"no module {key.module}")
            if key.name == ALL:
                found = Uses(frozenset(Key(key.module, name) for name in module.statements))
                for target in sorted({t for ts in module.imports.values() for t in ts}):
                    found |= self._meant(target.split("."))
            else:
                found = self._used_in(key.module, module, module.definition(key.name))
            self._named[key] = found
        return self._named[key]

    def _used_in(self, name: str, module: Module, definition: Definition) -> Uses:
        found = self._done_by_importing(definition.importing)
        found |= self._named_in(name, module, definition.chains, definition.imports)
        return found | self._said_in(name, module, definition)

    def _named_in(
        self,
        name: str,
        module: Module,
        chains: Iterable[Chain],
        imports: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> Uses:
        """What dotted names in a module stand for, with imports of a function's own."""
        found = Uses()
        for root, *rest in chains:
            if name and root in module.statements:
                found |= Uses(frozenset({Key(name, root)}))
            if name and root in HIDING:
                found |= Uses(frozenset({Key(name, ALL)}))
            for target in {*module.imports.get(root, ()), *imports.get(root, ())}:
                found |= self._meant([*target.split("."), *rest])
        for target in {*module.imports.get("*", ()), *imports.get("*", ())}:
            found |= self._meant(target.split("."))
        return found

    def _meant(self, parts: Sequence[str], depth: int = 0) -> Uses:
        """What a dotted name stands for: a definition, a module, or something of a library."""
        if parts[0] != self.name:
            known = parts[0] in sys.stdlib_module_names
            return Uses(libraries=frozenset() if known else frozenset({parts[0]}))
        at = self.name
        for place, part in enumerate(parts[1:], 1):
            module = self.module(at)
            if self.in_frame(at):
                return Uses()
            found = Uses()
            if module and part in module.statements:
                found |= Uses(frozenset({Key(at, part)}))
            for target in module.imports.get(part, ()) if module and depth < DEEPEST else ():
                if target != f"{at}.{part}":
                    found |= self._meant([*target.split("."), *parts[place + 1 :]], depth + 1)
                    found |= self._done_by(at)
            if found != Uses():
                # A package may define what a module in it is called, too.
                inner = f"{at}.{part}"
                return found | self._meant_all(inner)
            if not self._is_there(f"{at}.{part}"):
                return self._meant_all(at)
            at = f"{at}.{part}"
        return self._meant_all(at)

    def _meant_all(self, name: str) -> Uses:
        if self.in_frame(name) or self.module(name) is None:
            return Uses()
        return Uses(frozenset({Key(name, ALL)}))

    def _is_there(self, name: str) -> bool:
        return self.module(name) is not None or self.root.joinpath(*name.split(".")[1:]).is_dir()

    def _said_in(self, name: str, module: Module, definition: Definition) -> Uses:
        """What strings name: modules, such as programs to start, and data files of the package."""
        keys: set[Key] = set()
        folders: set[Path] = set()
        for text in definition.strings:
            for dotted in self._dotted.findall(text):
                if text == f"{dotted}.":
                    # The beginning of a name whose end is told at run time.
                    keys |= {Key(n, ALL) for n in self._below(dotted)}
                elif "." in dotted:
                    keys |= self._meant(dotted.split(".")).keys
                # The whole package is named by itself alone, as by those who read from it.
                if self._is_there(dotted) and ("." in dotted or text == dotted):
                    folders.add(self._folder(dotted))
        if any(chain[0] == "__file__" for chain in definition.chains):
            folders.add(self._folder(name))
        elif not any(t.startswith(READING) for ts in module.imports.values() for t in ts):
            folders.clear()
        found = {path for text in definition.strings for path in self._called.get(text, ())}
        below: set[Path] = set()
        for path in self.data if folders else ():
            above = [path.relative_to(f).parts for f in folders if f in path.parents]
            named = {"/".join(parts[: n + 1]) for parts in above for n in range(len(parts))}
            below |= {path} if above else set()
            found |= {path} if named & definition.strings else set()
        # Where a folder is named and nothing in it, it is all that is in it.
        found = found or below
        files = frozenset((name, path) for path in self._with_named(found))
        return Uses(frozenset(keys), files=files)

    def _below(self, name: str) -> Iterator[str]:
        for path in self._folder(name).rglob("*.py"):
            parts = path.relative_to(self.root).with_suffix("").parts
            dotted = ".".join([self.name, *parts]).removesuffix(".__init__")
            if dotted.startswith(f"{name}.") and not self.in_frame(dotted):
                yield dotted

    def _folder(self, module: str) -> Path:
        base = self.root.joinpath(*module.split(".")[1:])
        return base if base.is_dir() else base.parent

    def _with_named(self, files: Iterable[Path]) -> set[Path]:
        """Data files, and those beside or below that they name, as templates do."""
        found, todo = set(files), list(files)
        while todo:
            path = todo.pop()
            text = path.read_bytes()
            for other in set(self.data) - found:
                if path.parent in other.parents and path.parent != self.root:
                    inner = other.relative_to(path.parent).parts
                    if other.name.encode() in text or f"{inner[0]}/".encode() in text:
                        found.add(other)
                        todo.append(other)
        return found

    @cached_property
    def _called(self) -> dict[str, set[Path]]:
        """Data files by their names, alone and with those of folders that they lie in."""
        found: dict[str, set[Path]] = defaultdict(set)
        for path in self.data:
            parts = path.relative_to(self.root).parts
            for at in range(len(parts)):
                found["/".join(parts[at:])].add(path)
        return dict(found)

    @cached_property
    def data(self) -> list[Path]:
        """Files of the package that are no code."""
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        # Compiled code comes and goes with runs.
        return [
            path
            for path in found
            if path.suffix != ".py"
            and path.name not in UNREAD
            and path.parent.name != "__pycache__"
        ]

    def _done_by_importing(self, targets: Iterable[str]) -> Uses:
        found = Uses()
        for target in targets:
            name = self.name
            for part in ["", *target.split(".")[1:]] if target.split(".")[0] == name else []:
                name += f".{part}" if part else ""
                found |= self._done_by(name)
        return found

    def _done_by(self, name: str) -> Uses:
        """What is done when a module is imported, and all that it imports."""
        if name not in self._done:
            self._done[name] = Uses()
            todo, seen = [name], {name}
            found = Uses()
            while todo:
                at = todo.pop()
                module = self.module(at)
                if module is None or self.in_frame(at):
                    continue
                found |= self._acts(at, module)
                for target in module.importing:
                    parts = target.split(".")
                    inner = {".".join(parts[: n + 1]) for n in range(len(parts))}
                    new = inner - seen if parts[0] == self.name else set()
                    seen |= new
                    todo += sorted(new)
            self._done[name] = found
        return self._done[name]

    def _acts(self, name: str, module: Module) -> Uses:
        """Statements of a module whose execution changes something besides what they define."""
        keys = {Key(name, BODY)} if BODY in module.statements else set()
        for own in module.statements:
            if own in (BODY, MAIN):
                continue
            definition = module.definition(own)
            if definition.acts or self._changes(self._called_in(name, module, definition)):
                keys.add(Key(name, own))
        idle = Uses()
        for target in module.idle:
            if not target.startswith(f"{self.name}."):
                idle |= self._meant(target.split("."))
        return Uses(frozenset(keys), idle.libraries)

    def _called_in(self, name: str, module: Module, definition: Definition) -> set[Key]:
        """What may be called when something is defined."""
        found: set[Key] = set()
        for chain, handed in definition.called:
            what = self._named_in(name, module, [chain] if chain else []).keys
            found |= what
            if not what or not all(k.name != ALL and self.definition(k).holds for k in what):
                found |= self._named_in(name, module, handed).keys
        return found

    def _changes(self, keys: Iterable[Key]) -> bool:
        """Whether something that definitions reach changes what it neither made nor was given."""
        todo, seen = list(keys), set(keys)
        while todo:
            key = todo.pop()
            if key.name != ALL and self.definition(key).changes:
                return True
            new = self._named_by(key).keys - seen
            seen |= new
            todo += new
        return False


def parsed(path: Path) -> Module:
    """The module in a file; UserError if it cannot be read."""
    try:
        return Module(path.read_text(encoding="utf-8"), str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else str(path)
        raise UserError(f"{where}: this code cannot be read: {error}") from None

"""What code a step consists of: content digests of its script and of all it imports.

Found statically and over the normalised syntax tree, so that comments, docstrings and
formatting change nothing, while an edit to an imported module changes every step that
reaches it. Third-party imports are returned as distribution versions.
"""

import ast
import hashlib
import importlib.metadata
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuneatlas.errors import UserError

PACKAGE = "tuneatlas"
PACKAGE_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Code:
    """Digest of each module (name to hex) and version of each library that a script reaches."""

    modules: dict[str, str]
    libraries: dict[str, str]

    @property
    def digest(self) -> str:
        """One hex digest over modules and library versions."""
        text = repr((sorted(self.modules.items()), sorted(self.libraries.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_of(script: Path) -> Code:
    """The code that ``script`` reaches through imports, here and in functions."""
    modules: dict[str, str] = {}
    libraries: set[str] = set()
    todo = [(f"script:{script.stem}", script)]
    while todo:
        name, path = todo.pop()
        if name in modules:
            continue
        tree = _tree(path)
        modules[name] = _digest(path, tree)
        for imported in _imports(tree, name, path):
            top = imported.split(".")[0]
            if top == PACKAGE:
                todo += [(n, p) for n, p in _package_files(imported) if n not in modules]
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    return Code(modules, {n: v for top in libraries for n, v in _distributions(top).items()})


def _tree(path: Path) -> ast.Module:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UserError(f"{path}:{line}: this code cannot be read: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                # The docstring goes, but a body must not be left empty.
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _digest(path: Path, tree: ast.Module) -> str:
    digest = hashlib.sha256(ast.dump(tree).encode())
    if path.name == "__init__.py" and path.parent != PACKAGE_ROOT:
        # A subpackage's data files (page templates, tables of facts) are part of its code.
        for data in sorted(path.parent.rglob("*")):
            # Compiled code comes and goes with runs.
            if data.is_file() and data.suffix != ".py" and data.parent.name != "__pycache__":
                digest.update(data.name.encode() + data.read_bytes())
    return digest.hexdigest()[:16]


def _imports(tree: ast.Module, name: str, path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: relative import in {name}; use absolute")
            module = node.module or ""
            # `from package import x` may import a submodule x.
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def _package_files(module: str) -> list[tuple[str, Path]]:
    """The files that importing ``module`` executes: each parent's __init__ and its own file."""
    files = []
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        base = PACKAGE_ROOT.joinpath(*parts[1:depth])
        name = ".".join(parts[:depth])
        if (base / "__init__.py").is_file():
            files.append((name, base / "__init__.py"))
        elif base.with_suffix(".py").is_file():
            files.append((name, base.with_suffix(".py")))
    return files


@cache
def _providers() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _distributions(top: str) -> dict[str, str]:
    names = _providers().get(top, [])
    return {name.lower(): importlib.metadata.version(name) for name in names}

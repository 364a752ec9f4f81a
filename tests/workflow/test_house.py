"""The house: its rooms, of tests too; no import runs upward, between studies or in circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.examples import ROOT

PACKAGE = ROOT / "src" / "tuneatlas"
# From the ground up: a room may use those before it. Studies may not use one another.
ROOMS = [
    *("terminal", "errors", "engine", "tables", "statistics", "data", "models", "training"),
    *("plots", "studies", "config", "sizing", "theme", "report", "audit", "api", "workflow", "cli"),
]


def imports() -> dict[str, set[str]]:
    """The modules of the package that each module of it names in an import."""
    paths = {_name(path): path for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {node.module, *below}
            elif isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
        found[name] = {other for other in wanted if other in paths} - {name, "tuneatlas"}
    return found


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_module_has_a_room():
    rooms = {name.split(".")[1] for name in imports() if name != "tuneatlas"}
    assert rooms == set(ROOMS)


def test_no_import_runs_upward():
    upward = [
        f"{name} imports {other}"
        for name, others in imports().items()
        if name != "tuneatlas"
        for other in others
        if ROOMS.index(other.split(".")[1]) > ROOMS.index(name.split(".")[1])
    ]
    assert not upward


def test_no_study_uses_another():
    sideways = [
        f"{name} imports {other}"
        for name, others in imports().items()
        for other in others
        if _study(name) and _study(other) and _study(name) != _study(other)
    ]
    assert not sideways


def _study(name: str) -> str:
    parts = name.split(".")
    return parts[2] if parts[1:2] == ["studies"] and len(parts) > 2 else ""


def test_there_are_no_circles():
    # A package's own module names its parts; they do not need it.
    graph = {
        name: {other for other in others if not name.startswith(f"{other}.")}
        for name, others in imports().items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names one


def test_a_file_of_tests_bears_the_name_of_the_module_that_it_specifies():
    """And lies in its room: test_MODULE, or test_MODULE_SOME_MATTER; test_steps is of a study."""
    unit = ROOT / "tests" / "unit"
    for path in unit.rglob("test_*.py"):
        room = PACKAGE / path.parent.relative_to(unit)
        modules = {module.stem for module in room.iterdir()} | {"steps"}
        words = path.stem.split("_")[1:]
        assert any("_".join(words[:n]) in modules for n in range(1, len(words) + 1)), path
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
            f"{path} says nothing"
        )

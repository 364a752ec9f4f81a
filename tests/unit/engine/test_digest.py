"""What a step's code is: what its script reaches, and no more."""

from pathlib import Path

import pytest

from tuneatlas.engine import digest
from tuneatlas.engine.digest import code_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own under the real one's name: script → a → b; c is not reached."""
    root = tmp_path / "tuneatlas"
    files = {
        "__init__.py": '"""Package."""\n',
        "a.py": "from tuneatlas.sub import b\n\n\ndef f():\n    return b.g()\n",
        "sub/__init__.py": "",
        "sub/page.html": "<p>",
        "sub/b.py": "import numpy\n\n\ndef g():\n    '''Doc.'''\n    return 1\n",
        "c.py": "X = 1\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "script.py").write_text("def main():\n    import tuneatlas.a\n")
    monkeypatch.setattr(digest, "PACKAGE_ROOT", root)
    return tmp_path


def fresh(package: Path) -> digest.Code:
    code_of.cache_clear()
    return code_of(package / "script.py")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_modules_and_libraries_are_found_through_imports(package: Path):
    code = fresh(package)
    assert set(code.modules) == {
        "script:script", "tuneatlas", "tuneatlas.a", "tuneatlas.sub", "tuneatlas.sub.b",
    }  # fmt: skip
    assert set(code.libraries) == {"numpy"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("tuneatlas/sub/b.py", "return 1", "return 2", True),
        ("tuneatlas/a.py", "b.g()", "b.g() + 1", True),
        ("tuneatlas/sub/page.html", "<p>", "<b>", True),
        ("script.py", "import tuneatlas.a", "import tuneatlas.a, tuneatlas.c", True),
        ("tuneatlas/sub/b.py", "Doc.", "Other words.", False),
        ("tuneatlas/sub/b.py", "return 1", "# why\n    return (1)", False),
        ("tuneatlas/__init__.py", "Package.", "The package.", False),
        ("tuneatlas/c.py", "X = 1", "X = 2", False),
    ],
)
def test_what_changes_the_digest(package: Path, file: str, old: str, new: str, changes: bool):
    before = fresh(package).digest
    edit(package / file, old, new)
    assert (fresh(package).digest != before) == changes


def test_a_library_upgrade_changes_it(package: Path, monkeypatch: pytest.MonkeyPatch):
    before = fresh(package).digest
    monkeypatch.setattr(digest.importlib.metadata, "version", lambda name: "99")
    assert fresh(package).digest != before


def test_relative_imports_are_refused(package: Path):
    edit(package / "tuneatlas/a.py", "from tuneatlas.sub import b", "from .sub import b")
    with pytest.raises(ValueError, match=r"a.py:1: relative import"):
        fresh(package)


def test_compiled_code_that_a_run_leaves_changes_nothing(package: Path):
    before = fresh(package).digest
    cache = package / "tuneatlas/sub/__pycache__"
    cache.mkdir()
    for name in ("b.cpython-311.pyc", "b.g-4.py311.nbi"):
        (cache / name).write_text("x")
    assert fresh(package).digest == before

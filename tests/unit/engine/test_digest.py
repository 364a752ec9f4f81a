"""What a step's digest covers, rule by rule, on packages of a few lines."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tuneatlas.engine import digest, providers
from tuneatlas.engine.digest import FRAME, FRAME_VERSION, Code, code_of, key_of, sources_of
from tuneatlas.engine.reach import Package
from tuneatlas.errors import UserError

BASE = "BASE = 1\n"
G = "def g():\n    return BASE\n"
# script → a.f → sub.b.g; nothing reaches c, nor a.other.
FILES = {
    "__init__.py": '"""Package."""\n',
    "a.py": (
        "from p.sub import b\nimport numpy as np\nimport yaml\n\n\n"
        "def f(x: int = 1) -> int:\n    '''Doc.'''\n    return b.g() + np.sum(x)\n\n\n"
        "def other():\n    return yaml.dump(1)\n"
    ),
    "sub/__init__.py": "",
    "sub/b.py": f"import json\n\n{BASE}\n\n{G}",
    "c.py": "X = 1\n",
    "errors.py": "class UserError(Exception):\n    pass\n\n\nclass Refusal(str):\n    pass\n",
}
SCRIPT = "from p.a import f\nfrom p.errors import UserError\n\nf()\n"


def write(folder: Path, files: Mapping[str, str], script: str) -> Path:
    """A package p, on top of FILES, and a script."""
    for name, text in (FILES | files).items():
        path = folder / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "script.py").write_text(script)
    return folder


def code(folder: Path, frame: tuple[str, ...] = ("p.errors",)) -> Code:
    code_of.cache_clear()
    return code_of(folder / "script.py", Package(folder / "p", frame))


def reached(folder: Path) -> set[str]:
    package = Package(folder / "p", ("p.errors",))
    script = digest.parsed(folder / "script.py")
    return {f"{key.module}:{key.name}".removeprefix("p.") for key in package.reached(script).keys}


def differs(folder: Path, file: str, old: str, new: str) -> bool:
    """Whether an edit gives the script another digest."""
    before = code(folder).digest
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return code(folder).digest != before


def test_definitions_modules_and_libraries_are_found_by_names(tmp_path: Path):
    found = code(write(tmp_path, {}, SCRIPT))
    assert set(found.modules) == {"frame", "script:script", "p.a", "p.sub.b"}
    assert set(found.libraries) == {"numpy"}
    assert reached(tmp_path) == {"a:f", "sub.b:g", "sub.b:BASE"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("p/sub/b.py", "return BASE", "return BASE + 1", True),
        ("p/sub/b.py", "BASE = 1", "BASE = 2", True),
        ("p/a.py", "b.g()", "b.g() + 1", True),
        ("p/a.py", "x: int = 1", "x: int = 2", True),
        ("p/a.py", "numpy as np", "yaml as np", True),
        ("script.py", "f()", "f(); f()", True),
        # In what is reached, but nothing that could show.
        ("p/a.py", "Doc.", "Other words.", False),
        ("p/a.py", "    return b", "    # why\n    return (b", False),
        ("p/a.py", "x: int = 1", "x: 'float' = 1", False),
        ("p/a.py", ") -> int", ")", False),
        ("p/__init__.py", "Package.", "The package.", False),
        # Not reached.
        ("p/a.py", "yaml.dump(1)", "yaml.dump(2)", False),
        ("p/a.py", "def other", "def another():\n    pass\n\n\ndef other", False),
        ("p/a.py", "import yaml", "import yaml, p.c", False),
        ("p/sub/b.py", "BASE = 1", "LATER = 3\nBASE = 1", False),
        ("p/c.py", "X = 1", "X = 2", False),
        # The order of definitions is none of their meaning.
        ("p/sub/b.py", f"{BASE}\n\n{G}", f"{G}\n\n{BASE}", False),
    ],
)  # fmt: skip
def test_what_changes_the_digest(tmp_path: Path, file: str, old: str, new: str, changes: bool):
    write(tmp_path, {}, SCRIPT)
    if new.endswith("(b"):
        old, new = "return b.g() + np.sum(x)", "# why\n    return (b.g() + np.sum(x))"
    assert differs(tmp_path, file, old, new) == changes


def read_ways(text: str) -> dict[str, dict[str, str]]:
    """By the name of each way in which a script depends on c.target: files of a package."""
    ways = {}
    for section in text.removeprefix("# ").split("\n# "):
        name, *files = section.split("\n## ")
        ways[name.strip()] = dict(file.split("\n", 1) for file in files)
    return ways


WAYS = read_ways(Path(__file__).with_name("ways_to_depend.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_depend_on_a_definition_is_missed(tmp_path: Path, way: str):
    target = {"c.py": "def target():\n    return 1\n"}
    write(tmp_path, target | WAYS[way], WAYS[way].get("script.py", SCRIPT))
    assert differs(tmp_path, "p/c.py", "def target():\n    return 1", "def target():\n    return 2")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("raise UserError('words')", "raise UserError('other', f'{1}')", False),
        ("raise UserError('words')", "raise UserError(words())", False),
        ("raise UserError('words')", "raise ValueError('words')", True),
        # Others may keep the words of any other exception.
        ("raise ValueError('words')", "raise ValueError('other')", True),
        ("yield Refusal('words')", "yield Refusal(f'other {1}')", False),
        ("yield 'words'", "yield 'other'", True),
        ("log.info('words %s', len(x))", "log.info('other %s, %s', len(x), sum(x))", False),
        ("log.info('words')", "pass", False),
        ("log.info('words %s', next(x))", "log.info('other %s', next(x))", False),
        ("log.info('words %s', next(x))", "log.info('words')", True),
        ("warnings.warn('words')", "warnings.warn('other')", False),
        ("text = 'words'\n    raise UserError(text)", "'words'", False),
        ("a = 'words'\n    b = f'{a}.'\n    b += 'x'\n    raise UserError(b)", "'words'", False),
        ("a = 'a'\n    b = f'{a}.'\n    b += 'words'\n    raise UserError(b)", "'words'", False),
        ("text = 'words'\n    if text != x:\n        raise UserError(text)", "'words'", True),
        ("text = go('words')\n    raise UserError(text)", "'words'", True),
        ("class a:\n        x = 'words'\n    return a.x", "'words'", True),
        ("def h():\n        nonlocal x\n        x = 'words'\n    return h", "'words'", True),
        ("global y\n    y = 'words'\n    raise UserError(y)", "'words'", True),
        ("text = 'words'\n    return locals()", "'words'", True),
    ],
)  # fmt: skip
def test_words_for_the_user_are_left_out(tmp_path: Path, before: str, after: str, changes: bool):
    head = "import logging, warnings\nfrom p.errors import Refusal, UserError\n\n"
    head += "log = logging.getLogger(__name__)\n\n\ndef f(x=()):\n    "
    write(tmp_path, {"a.py": f"{head}{before}\n"}, SCRIPT)
    if after == "'words'":
        before, after = after, "'other'"
    assert differs(tmp_path, "p/a.py", before, after) == changes


def test_type_checkers_alone_read_some_imports(tmp_path: Path):
    text = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from p.c import X\n\n\n"
    write(tmp_path, {"a.py": text + "def f(x: 'X') -> 'X':\n    return x\n"}, SCRIPT)
    assert reached(tmp_path) == {"a:f"}


def test_a_statement_counts_in_whatever_imports_its_module(tmp_path: Path):
    write(tmp_path, {"sub/b.py": "import gc\n\ngc.disable()\n\n\ndef g():\n    return 1\n"}, SCRIPT)
    (tmp_path / "script.py").write_text("from p.sub.b import g\n")
    assert differs(tmp_path, "p/sub/b.py", "gc.disable()", "gc.enable()")


def test_data_files_belong_to_what_names_them(tmp_path: Path):
    reads = "from importlib.resources import files\n\n\ndef f():\n    return "
    files = {
        "a.py": f"{reads}(files('p') / 'data' / 'one.yaml').read_text()\n",
        "data/one.yaml": "1",
        "data/two.yaml": "2",
        "web/__init__.py": f"{reads}files('p.web') / 'assets'\n",
        "web/assets/page.html": "<script src='app.js'>",
        "web/assets/app.js": "x",
        "look/__init__.py": f"{reads}files('p.look') / 'page.jinja'\n",
        "look/parts/page.jinja": "{% include 'style.css' %}",
        "look/parts/style.css": "a",
        "look/parts/none.css": "a",
    }
    script = "from p.a import f\nfrom p.{} import f as g\n\nf(), g()\n"
    write(tmp_path, files, script.format("web"))
    package = Package(tmp_path / "p", ())
    named = package.reached(digest.parsed(tmp_path / "script.py")).files
    assert {(m, p.name) for m, p in named} == {
        ("p.a", "one.yaml"), ("p.web", "page.html"), ("p.web", "app.js"),
    }  # fmt: skip
    assert differs(tmp_path, "p/data/one.yaml", "1", "3")
    assert not differs(tmp_path, "p/data/two.yaml", "2", "3")
    assert differs(tmp_path, "p/web/assets/app.js", "x", "y")
    (tmp_path / "script.py").write_text(script.format("look"))
    assert differs(tmp_path, "p/look/parts/style.css", "a", "b")
    assert not differs(tmp_path, "p/look/parts/none.css", "a", "b")


LOADER = "from jinja2 import PackageLoader\n\n\ndef f(name):\n    return "
READER = "from importlib.resources import files\n\n\ndef f(name):\n    return "


@pytest.mark.parametrize(
    ("text", "named"),
    [
        # A folder, what is in it told at run time: all of it.
        (f"{LOADER}PackageLoader('p.look')", {"page.jinja", "style.css", "none.css"}),
        (f"{READER}files('p.look') / f'parts/{{name}}'", {"page.jinja", "style.css", "none.css"}),
        (f"{READER}files('p') / name", {"page.jinja", "style.css", "none.css", "one.yaml"}),
        # A folder in it, or a file.
        (f"{READER}files('p.look') / 'more' / name", {"none.css"}),
        (f"{READER}files('p.look') / 'parts' / 'style.css'", {"style.css"}),
        # The name of the package in other words names no folder.
        (f"{READER}f'p({{name}})'", set()),
    ],
)
def test_a_folder_that_is_named_counts_whole(tmp_path: Path, text: str, named: set[str]):
    files = {
        **{"a.py": f"{text}\n", "data/one.yaml": "1", "look/__init__.py": ""},
        **{"look/parts/page.jinja": "", "look/parts/style.css": "", "look/more/none.css": ""},
    }
    write(tmp_path, files, SCRIPT)
    found = Package(tmp_path / "p", ("p.errors",)).reached(digest.parsed(tmp_path / "script.py"))
    assert {path.name for _, path in found.files} == named


def test_compiled_code_that_a_run_leaves_changes_nothing(tmp_path: Path):
    text = "def f():\n    return 'b.pyc', 'b.nbi'\n"
    before = code(write(tmp_path, {"a.py": text}, SCRIPT)).digest
    (tmp_path / "p/__pycache__").mkdir()
    for name in ("b.pyc", "b.nbi"):
        (tmp_path / "p/__pycache__" / name).write_text("x")
    assert code(tmp_path).digest == before


def test_sources_are_files_and_what_links_lead_to(tmp_path: Path):
    package = Package(write(tmp_path, {}, SCRIPT) / "p", ("p.errors",))
    before = sources_of(package)
    # As an editor leaves it beside what is not saved yet.
    (tmp_path / "p/.#a.py").symlink_to("nobody@nowhere.1")
    assert sources_of(package) == before
    (tmp_path / "p/sub").rename(tmp_path / "elsewhere")
    (tmp_path / "p/sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "p")
    linked = sources_of(package)
    with (tmp_path / "elsewhere/b.py").open("a") as file:
        file.write("Y = 1\n")
    assert sources_of(package) != linked


def test_the_frame_is_outside_but_for_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {}, SCRIPT + "UserError()\n")
    assert not differs(tmp_path, "p/errors.py", "pass", "x = 1")
    assert code(tmp_path).modules["frame"] == str(FRAME_VERSION)
    before = code(tmp_path).digest
    monkeypatch.setattr(digest, "FRAME_VERSION", FRAME_VERSION + 1)
    assert code(tmp_path).digest != before


def test_a_library_upgrade_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = code(write(tmp_path, {}, SCRIPT)).digest
    monkeypatch.setattr(providers.importlib.metadata, "version", lambda name: "99")
    providers.versions.cache_clear()
    assert code(tmp_path).digest != before
    providers.versions.cache_clear()


@pytest.mark.parametrize(
    ("text", "message"),
    [("from .sub import b\n", "line 1: a relative import"), ("def f(:\n", r"a\.py:1: .*read")],
)
def test_code_that_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str):
    write(tmp_path, {"a.py": text}, SCRIPT)
    with pytest.raises(UserError, match=message):
        code(tmp_path)


def test_the_modules_of_the_frame_are_there():
    assert all(digest.REAL.module(name) for name in FRAME)


def test_what_a_run_found_is_taken_while_no_source_changed(tmp_path: Path, monkeypatch):
    """And found anew after an edit of the script, or of any file of the package."""
    write(tmp_path, {}, SCRIPT)
    package, script = Package(tmp_path / "p", ("p.errors",)), tmp_path / "script.py"
    found = code_of.__wrapped__(script, package)
    told = {"modules": {"told": "0" * 16}, "libraries": {}}
    monkeypatch.setitem(digest.KNOWN, key_of(script, sources_of(package)), told)
    assert code_of.__wrapped__(script, package) == Code(**told) != found
    edited = [script, *sorted((tmp_path / "p").rglob("*.py")), tmp_path / "p/new.txt"]
    for path in edited:
        before = path.read_bytes() if path.exists() else None
        path.write_bytes((before or b"") + b"\n")
        assert code_of.__wrapped__(script, Package(package.root, package.frame)) != Code(**told)
        path.unlink() if before is None else path.write_bytes(before)
    assert code_of.__wrapped__(script, package) == Code(**told)

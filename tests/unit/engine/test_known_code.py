"""What scripts consist of is kept from run to run, and not longer than it holds."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tuneatlas.engine import known_code, warm
from tuneatlas.engine.digest import code_of
from tuneatlas.engine.known_code import code_digest, keep, recall

SCRIPT = "from tuneatlas.errors import UserError\n\nraise UserError('no')\n"


@pytest.fixture(autouse=True)
def as_at_the_start_of_a_run(monkeypatch):
    """Nothing is known yet."""
    monkeypatch.setattr(warm, "KNOWN", {})
    monkeypatch.setattr(known_code, "KNOWN", {})
    monkeypatch.setattr(known_code, "KEYS", {})
    known_code._found_in.cache_clear()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def kept_by_a_run(root: Path, script: Path) -> Path:
    """The file that a run leaves."""
    code_digest(script)
    keep(root)
    known_code.KEYS.clear()
    return root / ".snakemake" / "code.json"


def test_a_run_takes_what_the_one_before_found(tmp_path: Path, script: Path, monkeypatch):
    kept = kept_by_a_run(tmp_path, script)
    recall(tmp_path)
    assert list(known_code.KNOWN.values()) == [asdict(code_of(script))]
    monkeypatch.setattr(known_code, "code_of", lambda script: pytest.fail("it was looked for"))
    before = kept.stat().st_mtime_ns
    assert code_digest(script) == code_of(script).digest
    keep(tmp_path)
    assert kept.stat().st_mtime_ns == before, "nothing new was found"


def test_an_edited_script_is_looked_at_anew(tmp_path: Path, script: Path):
    kept_by_a_run(tmp_path, script)
    script.write_text(SCRIPT.replace("UserError('no')", "ValueError('no')"), encoding="utf-8")
    code_of.cache_clear()
    recall(tmp_path)
    assert code_digest(script) == code_of(script).digest
    told = [code["modules"] for code in known_code.KNOWN.values()]
    assert asdict(code_of(script))["modules"] not in told
    keep(tmp_path)
    known_code.KNOWN.clear()
    recall(tmp_path)
    assert asdict(code_of(script)) in known_code.KNOWN.values()


@pytest.mark.parametrize("changed", ["installed", "sources_at_first"])
def test_with_other_libraries_or_sources_nothing_is_known(
    tmp_path: Path, script: Path, monkeypatch, changed: str
):
    kept_by_a_run(tmp_path, script)
    monkeypatch.setattr(known_code, changed, lambda *package: "other")
    known_code._found_in.cache_clear()
    recall(tmp_path)
    assert known_code.KNOWN == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"found_in": "x"}', "\x00"])
def test_a_damaged_file_says_nothing(tmp_path: Path, script: Path, text: str):
    kept = kept_by_a_run(tmp_path, script)
    kept.write_text(text, encoding="utf-8")
    recall(tmp_path)
    assert known_code.KNOWN == {}
    code_digest(script)
    keep(tmp_path)
    assert len(json.loads(kept.read_text(encoding="utf-8"))["scripts"]) == 1


def test_an_installed_library_of_another_version_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    before = known_code.installed()
    (tmp_path / "other-1.0.dist-info").mkdir()
    then = known_code.installed()
    (tmp_path / "other-1.0.dist-info").rename(tmp_path / "other-1.1.dist-info")
    assert len({before, then, known_code.installed()}) == 3

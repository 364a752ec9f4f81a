"""What scripts consist of is kept from run to run, and not longer than it holds."""

import json
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize("scripts", [None, [], {"k": None}, {"k": {"modules": {}}}, {"k": {}}])
def test_a_file_of_another_form_says_nothing(tmp_path: Path, script: Path, scripts: object):
    kept = kept_by_a_run(tmp_path, script)
    told = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps(told | {"scripts": scripts}), encoding="utf-8")
    recall(tmp_path)
    del told["scripts"]
    kept.write_text(json.dumps(told), encoding="utf-8")
    recall(tmp_path)
    assert known_code.KNOWN == {}


def test_a_folder_in_its_place_says_nothing(tmp_path: Path, script: Path):
    (tmp_path / ".snakemake/code.json").mkdir(parents=True)
    recall(tmp_path)
    assert known_code.KNOWN == {}
    kept_by_a_run(tmp_path, script)
    recall(tmp_path)
    assert len(known_code.KNOWN) == 1


def test_what_was_edited_while_it_was_looked_for_is_not_kept(
    tmp_path: Path, script: Path, monkeypatch
):
    """It may be of either; were it kept as of the one, the other would be told as unchanged."""
    code_digest(script)
    monkeypatch.setattr(known_code, "sources_of", lambda package: "edited")
    keep(tmp_path)
    assert not (tmp_path / ".snakemake").exists()


def test_runs_that_keep_it_at_once_disturb_nobody(tmp_path: Path, script: Path):
    code_digest(script)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keep(tmp_path), range(200)))
    known_code.KEYS.clear()
    recall(tmp_path)
    assert list(known_code.KNOWN.values()) == [asdict(code_of(script))]


def test_an_installed_library_of_another_version_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    before = known_code.installed()
    (tmp_path / "other-1.0.dist-info").mkdir()
    then = known_code.installed()
    (tmp_path / "other-1.0.dist-info").rename(tmp_path / "other-1.1.dist-info")
    assert len({before, then, known_code.installed()}) == 3

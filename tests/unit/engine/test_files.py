"""Files and folders appear whole or not at all."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tuneatlas import tables
from tuneatlas.audit.query import TABLES
from tuneatlas.engine.files import atomic, open_file, partial_path, publish, sha256_tree, write_text
from tuneatlas.errors import UserError
from tuneatlas.models.save import save_model
from tuneatlas.tables import schema_of


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_a_folder(tmp_path: Path):
    path = tmp_path / "folder"
    for text in ("one", "two"):
        partial = partial_path(path)
        partial.mkdir()
        (partial / text).write_text(text)
        publish(partial, path)
        assert [p.name for p in path.iterdir()] == [text]


def test_tree_hash_sees_names_and_contents(tmp_path: Path):
    found = set()
    for name, text in (("a", "x"), ("b", "x"), ("a", "y")):
        folder = tmp_path / f"{name}{text}"
        folder.mkdir()
        (folder / name).write_text(text)
        found.add(sha256_tree(folder))
    assert len(found) == 3


@pytest.mark.parametrize("read", [open_file, sha256_tree, TABLES["answers"].read, schema_of])
@pytest.mark.parametrize("what", ["pipe", "device", "link"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, read, what: str):
    path = tmp_path / "table.parquet"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if what == "device" else tmp_path / "gone")
    with pytest.raises((OSError, UserError), match="No such file" if what == "link" else "it is a"):
        read(path)


def test_a_table_is_opened_in_one_place():
    """Where a pipe in its place is refused."""
    opens = re.compile(r"pq\.(read_|ParquetFile\()")
    found = {
        p.name for p in Path(tables.__file__).parent.rglob("*.py") if opens.search(p.read_text())
    }
    # These two open files of users, which may be compressed, as all such files are opened.
    assert found == {"tables.py", "corpus_files.py", "overlap.py"}


def test_killed_at_any_instant_the_file_is_whole(tmp_path: Path):
    """A process rewrites a file over and over; whenever it is killed, one version stands."""
    path = tmp_path / "a.txt"
    code = (
        "from pathlib import Path\nfrom tuneatlas.engine.files import write_text\n"
        "n = 0\nwhile True:\n    n += 1\n"
        f"    write_text(Path({str(path)!r}), str(n % 10) * 200_000)"
    )
    for number in range(5):
        process = subprocess.Popen([sys.executable, "-c", code])
        while not path.exists():
            time.sleep(0.001)
        time.sleep(0.013 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        text = path.read_text()
        assert len(text) == 200_000 and len(set(text)) == 1
        path.unlink()


def test_an_attempt_that_was_taken_over_cannot_publish_half_of_the_next(tmp_path: Path):
    """A lost node's process lives on while another writes the same output."""
    path = tmp_path / "out.txt"
    code = (
        "import sys; from pathlib import Path; from tuneatlas.engine.files import *; "
        "p = Path(sys.argv[1]); partial_path(p).write_text('half'); print(partial_path(p))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    elsewhere = Path(other.stdout.strip())
    assert elsewhere != partial_path(path) and elsewhere.exists()
    with atomic(path) as partial:
        partial.write_text("whole")
        assert not elsewhere.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_folder_does_not_tell_where_its_tokenizer_was_found(tmp_path, model, tokenizer):
    """HF_HUB_OFFLINE, which compute nodes need, must change no output."""
    save_model(tmp_path / "base", model, tokenizer)
    found = set()
    for offline in (False, True):
        again = AutoTokenizer.from_pretrained(tmp_path / "base", local_files_only=offline)
        save_model(tmp_path / str(offline), model, again)
        found.add((tmp_path / str(offline) / "tokenizer_config.json").read_bytes())
    assert len(found) == 1

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from tuneatlas.errors import UserError
from tuneatlas.sections import joined, operations_of, split
from tuneatlas.step import derive_seed, step


def job(folder: Path, **options: object) -> SimpleNamespace:
    """A job as Snakemake hands it to a script."""
    (folder / "in.txt").write_text("in")
    (folder / "script.py").write_text("import tuneatlas.files\n")
    return SimpleNamespace(
        config={},
        rule="do_things",
        input=InputFiles(fromdict={"text": str(folder / "in.txt")}),
        output=OutputFiles(
            fromdict={"file": str(folder / "out/a.txt"), "folder": str(folder / "out/b")}
        ),
        params=Params(
            fromdict={"options": options, "seed": 42, "script": str(folder / "script.py")}
        ),
        wildcards=Wildcards(fromdict={"model": "mini"}),
        threads=1,
        log=Log([str(folder / "log.txt")]),
    )


def write(this) -> None:
    this.outputs["file"].write_text("text")
    this.outputs["folder"].mkdir()
    (this.outputs["folder"] / "x").write_text("x")


def test_outputs_and_records_appear_together(tmp_path: Path):
    with step(job(tmp_path, size=3)) as this:
        write(this)
        this.checkpoints.mkdir()
        assert not (tmp_path / "out/a.txt").exists()
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["a.txt", "a.txt.record.json", "b", "b.record.json"]
    record = json.loads((tmp_path / "out/a.txt.record.json").read_text())
    assert record["options"] == {"size": 3}
    assert record["wildcards"] == {"model": "mini"}
    assert list(record["inputs"]) == [str(tmp_path / "in.txt")]
    assert "tuneatlas.files" in record["code"]
    assert "done in" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("error", [UserError("row 3 is wrong"), OSError(28, "No space left")])
def test_an_error_leaves_one_message_and_no_file(tmp_path: Path, error, capsys):
    with pytest.raises(SystemExit), step(job(tmp_path)) as this:
        write(this)
        raise error
    assert list((tmp_path / "out").iterdir()) == []
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert ("row 3 is wrong" in shown) or ("the disk is full" in shown)


def test_an_output_not_written_is_an_error(tmp_path: Path, capsys):
    with pytest.raises(SystemExit), step(job(tmp_path)) as this:
        this.outputs["file"].write_text("text")
    assert "without writing its output" in capsys.readouterr().err


def test_a_full_disk_is_one_message(tmp_path: Path, capsys):
    """On a real file system of 64 KiB."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system here")
    made = job(small)
    made.log = Log([str(tmp_path / "log.txt")])
    try:
        with pytest.raises(SystemExit), step(made) as this:
            this.outputs["file"].write_bytes(b"x" * 10**6)
        assert "the disk is full" in capsys.readouterr().err
        assert list((small / "out").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_folder_is_one_message(tmp_path: Path, capsys):
    fixed = tmp_path / "fixed"
    fixed.mkdir()
    made = job(fixed)
    (fixed / "out").mkdir()
    (fixed / "log.txt").touch()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(fixed / "out")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a read-only file system here")
    try:
        with pytest.raises(SystemExit), step(made) as this:
            write(this)
        assert "cannot write here" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", str(fixed / "out")], check=True)


def test_a_run_goes_on_in_another_number_of_processes(tmp_path: Path):
    """Wherever the option stands: pre-training has it one level down."""
    found = set()
    for number in (1, 2):
        with step(job(tmp_path, processes=number, training={"processes": number})) as this:
            write(this)
            found.add(this.checkpoints)
    assert len(found) == 1


def test_new_settings_never_resume_old_checkpoints(tmp_path: Path):
    found = set()
    for size in (1, 2, 2):
        with step(job(tmp_path, size=size)) as this:
            write(this)
            found.add(this.checkpoints)
    assert len(found) == 2
    (tmp_path / "in.txt").write_text("other")


def test_seeds_differ_by_context_and_are_stable():
    assert derive_seed(42, "finetune", ("seed", "0")) == derive_seed(42, "finetune", ("seed", "0"))
    assert len({derive_seed(s, c) for s in (1, 2) for c in ("a", "b")}) == 4
    assert 0 <= derive_seed(0) < 2**63


def test_operational_keys_reach_the_step_but_not_its_record(tmp_path: Path):
    """How often progress is saved changes no result: it must not rerun anything."""
    this_job = job(tmp_path, size=3)
    this_job.config = {"operations": {"do_things": {"keep_checkpoints": 7}}}
    with step(this_job) as this:
        assert this.options == {"size": 3, "keep_checkpoints": 7}
        write(this)
    record = json.loads((tmp_path / "out/a.txt.record.json").read_text())
    assert record["options"] == {"size": 3}


def test_operational_keys_are_split_off_at_every_depth():
    config = {"models": {"m": {"size": 1, "training": {"rate": 2, "checkpoint_minutes": 3}}}}
    rest, operations = split(config)
    assert rest == {"models": {"m": {"size": 1, "training": {"rate": 2}}}}
    own = operations_of(operations, "prepare_base", {"model": "m"})
    assert joined(rest["models"]["m"], own) == config["models"]["m"]
    assert operations_of(operations, "finetune", {}) == {}

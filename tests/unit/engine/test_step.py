"""A step: outputs with their records, one message on failure, seeds, operational keys."""

import gc
import json
import logging
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Wildcards

from tuneatlas.engine.step import derive_seed, step
from tuneatlas.engine import gpus
from tuneatlas.engine.operations import joined, operations_of, split
from tuneatlas.errors import TransientError, UserError


def job(folder: Path, **options: object) -> SimpleNamespace:
    """A job as Snakemake hands it to a script."""
    (folder / "in.txt").write_text("in")
    (folder / "script.py").write_text("import tuneatlas.engine.files\n")
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
        resources=ResourceList(fromdict={}),
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
    assert {"frame", "script:script"} <= record["code"].keys()
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


def test_a_log_holds_what_steps_tell_and_of_libraries_what_is_amiss(tmp_path: Path):
    with step(job(tmp_path)) as this:
        for name in ("tuneatlas.training.runs", "fontTools.subset", "library.not.known"):
            logging.getLogger(name).info("told by %s", name)
        logging.getLogger("fontTools.subset").warning("a font is broken")
        write(this)
    text = (tmp_path / "log.txt").read_text()
    assert "told by tuneatlas.training.runs" in text and "a font is broken" in text
    assert "told by fontTools" not in text and "told by library" not in text


def test_garbage_is_looked_for_again_once_a_step_works(tmp_path: Path):
    gc.set_threshold(1_000_000)  # as while a script imports
    with step(job(tmp_path)) as this:
        assert gc.isenabled() and gc.get_threshold()[0] == 50_000
        write(this)


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


def test_a_draw_that_a_step_forgot_to_seed_is_the_same_in_every_run(tmp_path: Path):
    """By default torch seeds itself anew in each process."""
    drawn = []
    for number in range(2):
        torch.seed(), random.seed(), np.random.seed()
        with step(job(tmp_path, number=number)) as this:
            write(this)
            drawn.append((torch.rand(3).tolist(), random.random(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_operational_keys_reach_the_step_and_stand_apart_in_its_record(tmp_path: Path):
    """How often progress is saved changes no result: it must not rerun anything."""
    this_job = job(tmp_path, size=3)
    this_job.config = {"operations": {"do_things": {"keep_checkpoints": 7}}}
    with step(this_job) as this:
        assert this.options == {"size": 3, "keep_checkpoints": 7}
        write(this)
    record = json.loads((tmp_path / "out/a.txt.record.json").read_text())
    assert record["options"] == {"size": 3}
    assert record["operations"] == {"keep_checkpoints": 7}


def test_each_output_may_have_figures_of_its_own(tmp_path: Path):
    with step(job(tmp_path)) as this:
        write(this)
        this.info = {"steps": 3, "tokens": 9}
        this.own = {"file": {"steps": 1}, "folder": {"losses": [2.0]}}
    file, folder = (
        json.loads((tmp_path / f"out/{n}.record.json").read_text()) for n in ("a.txt", "b")
    )
    assert (file["steps"], file["tokens"], "losses" in file) == (1, 9, False)
    assert (folder["steps"], folder["losses"]) == (3, [2.0])


def test_operational_keys_are_split_off_at_every_depth():
    config = {"models": {"m": {"size": 1, "training": {"rate": 2, "checkpoint_minutes": 3}}}}
    rest, operations = split(config)
    assert rest == {"models": {"m": {"size": 1, "training": {"rate": 2}}}}
    own = operations_of(operations, "prepare_base", {"model": "m"})
    assert joined(rest["models"]["m"], own) == config["models"]["m"]
    assert operations_of(operations, "finetune", {}) == {}


def test_where_chance_is_drawn_batch_by_batch_batches_are_no_operation():
    config = {n: {"batch_rows": 4} for n in ("explain_predictions", "generate_paraphrases")}
    rest, operations = split(config)
    assert rest == {"explain_predictions": {"batch_rows": 4}, "generate_paraphrases": {}}
    assert operations == {"generate_paraphrases": {"batch_rows": 4}}


@pytest.mark.parametrize(
    ("key", "kept"),
    [("rows_per_device", True), ("devices", True), ("batch_tokens", False), ("deepspeed", False)],
)
def test_saved_progress_goes_on_only_where_its_parts_are_the_same(tmp_path: Path, key, kept):
    """The parts of a loop are counted in batches."""
    found = set()
    for value in (1, 2):
        this_job = job(tmp_path)
        this_job.config = {"operations": {"do_things": {key: value}}}
        with step(this_job) as this:
            write(this)
            found.add(this.checkpoints)
    assert (len(found) == 1) == kept


@pytest.mark.parametrize(("name", "kept"), [("asking", True), ("dtype", True), ("seed", False)])
def test_saved_progress_goes_on_whatever_a_model_is_checked_for(tmp_path: Path, name, kept):
    """An interrupted pre-training, as a question template is edited."""
    found = set()
    for value in (1, 2):
        this_job = job(tmp_path)
        this_job.rule = "prepare_base"
        this_job.params = Params(fromdict=dict(this_job.params.items()) | {name: value})
        with step(this_job) as this:
            write(this)
            found.add(this.checkpoints)
    assert (len(found) == 1) == kept


def fails(this_job: SimpleNamespace, error: Exception, attempt: int) -> bool:
    """Whether an attempt got to work before it failed."""
    this_job.resources = ResourceList(fromdict={"attempt": attempt})
    began = False
    with pytest.raises(SystemExit) as stop, step(this_job):
        began = True
        raise error
    assert stop.value.code == 1
    return began


@pytest.mark.parametrize("note", ["", "{", "[]", "3", '{"message": "x"}', "\xff", None])
def test_a_damaged_note_on_a_failure_says_nothing(tmp_path: Path, note: str | None):
    """As of a disk that was full; a folder in its place is none."""
    path = tmp_path / "log.failed"
    path.mkdir() if note is None else path.write_text(note, encoding="latin-1")
    this = job(tmp_path)
    this.resources = ResourceList(fromdict={"attempt": 2})
    with step(this) as running:
        write(running)
    assert (tmp_path / "out/a.txt").exists() and not path.exists()


def test_what_failed_is_not_tried_again_until_something_changes(tmp_path: Path, capsys):
    error = UserError("row 3 is wrong")
    this_job = job(tmp_path, size=1)
    assert fails(this_job, error, 1)
    assert not fails(this_job, error, 2)
    assert not fails(this_job, error, 3)
    assert "row 3 is wrong (attempt 3: nothing changed, not tried)" in capsys.readouterr().err
    assert "row 3 is wrong" in (tmp_path / "log.txt").read_text()
    # An option, an operational key, an input, a new run.
    mended = job(tmp_path, size=2)
    assert fails(mended, error, 2)
    assert not fails(mended, error, 3)
    mended.config = {"operations": {"do_things": {"batch_rows": 1}}}
    assert fails(mended, error, 2)
    (tmp_path / "in.txt").write_text("mended")
    assert fails(mended, error, 2)
    assert fails(mended, error, 1)
    with step(mended) as this:
        write(this)
    assert not (tmp_path / "log.failed").exists()


@pytest.mark.parametrize("error", [TransientError("no network"), OSError(28, "No space left")])
def test_what_may_pass_is_tried_again(tmp_path: Path, error: Exception):
    this_job = job(tmp_path)
    assert fails(this_job, error, 1)
    assert fails(this_job, error, 2)


@pytest.mark.parametrize("cause", [ConnectionError("no route"), TransientError("no network")])
@pytest.mark.parametrize("hidden", [False, True])
def test_what_may_pass_is_tried_again_whatever_it_is_told_as(
    tmp_path: Path, cause: Exception, hidden: bool
):
    """As a hub that is away for a minute, told as a model that cannot be opened."""
    told = UserError("cannot be opened")
    told.__context__, told.__cause__ = cause, None if hidden else cause
    outer = UserError("models.mini: cannot be opened")
    outer.__cause__ = told
    this_job = job(tmp_path)
    assert fails(this_job, outer, 1)
    assert fails(this_job, outer, 2)


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize(
    ("rule", "options", "said"),
    [
        (
            "probe_knowledge",
            {"batch_tokens": 16384},
            "lower probe_knowledge.batch_tokens (now 16384); or raise models.mini.devices",
        ),
        (
            "finetune",
            {"rows_per_device": 1, "processes": 1, "deepspeed": None, "lora_rank": None},
            "choose another of config/deepspeed as finetune.deepspeed (now null)",
        ),
        (
            "finetune",
            {
                "rows_per_device": 1,
                "processes": 1,
                "deepspeed": None,
                "lora_rank": 8,
                "gradient_checkpointing": True,
            },
            "choose a larger GPU",
        ),
        (
            "prepare_base",
            {"training": {"rows_per_device": 8, "processes": 2, "deepspeed": "zero2.json"}},
            "lower models.mini.training.rows_per_device (now 8); or raise "
            "models.mini.training.processes (now 2); or choose another",
        ),
    ],
)
def test_a_full_gpu_is_one_message_with_the_keys_that_help(
    tmp_path: Path, capsys, rule: str, options: dict, said: str
):
    this_job = job(tmp_path, **options)
    this_job.rule = rule
    assert fails(this_job, FULL, 1)
    shown = capsys.readouterr().err
    assert f"a GPU has too little memory for this: {said}" in shown
    assert "Traceback" not in shown
    assert not fails(this_job, FULL, 2)


def test_other_errors_of_torch_are_faults(tmp_path: Path):
    with pytest.raises(RuntimeError, match="shapes"), step(job(tmp_path)):
        raise RuntimeError("shapes do not match")


def test_the_record_says_which_gpus_a_job_had(tmp_path: Path, monkeypatch):
    """With a stand-in for CUDA."""
    stand_in = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 2,
        get_device_name=lambda device: "NVIDIA A100",
        max_memory_allocated=lambda device: (device + 1) * 2**30,
    )
    assert gpus.used({"gpu": 1}, 3600) == {}
    monkeypatch.setattr(torch, "cuda", stand_in)
    had = {"gpu": "NVIDIA A100", "gpus": 8, "gpu_hours": 16.0, "gpu_peak_mb": 2048}
    assert gpus.used({"gres": "gpu:4", "nodes": 2}, 7200) == had
    had_one = gpus.used({"gres": "nvme:500", "gpu": 1}, 3600)
    assert had_one["gpus"] == 1
    # On a workstation nobody asks for a GPU; those that were used count.
    assert gpus.used({}, 1800)["gpus"] == 2
    with step(job(tmp_path)) as this:
        write(this)
    record = json.loads((tmp_path / "out/a.txt.record.json").read_text())
    assert record["gpu"] == "NVIDIA A100" and record["gpus"] == 2


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        ("", 0),
        ("(null)", 0),
        ("gpu", 1),
        ("gpu:4", 4),
        ("gpu:a100", 1),
        ("gpu:a100:2", 2),
        ("gpu:1g.10gb:3", 3),
        ("nvme:500", 0),
        ("gpu:a100:2(S:0-1),nvme:500", 2),
        ("gpu:a100:2(S:0,1),gpu:v100:1(IDX:0)", 3),
        ("gpu_mem:80", 0),
    ],
)
def test_a_site_may_say_its_generic_resources_in_any_form(gres: str, count: int):
    assert gpus.gpus_in(gres) == count


def test_light_steps_do_not_load_torch():
    code = "import sys, tuneatlas.engine.step; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Whatever is done to a record or put in its place is a finding: no traceback, no waiting."""

import json
import os
import random
import shutil
import socket
from pathlib import Path

import pytest

from tests.examples import ROOT
from tuneatlas.audit.checks import INTEGRITY, Finding, run_checks
from tuneatlas.audit.lineage import read_contents, read_results
from tuneatlas.cli import main
from tuneatlas.engine.files import digest_files, sha256_files
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import SUFFIX, dump, is_sealed, record_path

LEAF, TABLE, MODEL = (
    "compare_groups/mini",
    "evaluate_knowledge/mini/numbers/mixed_40/0.parquet",
    "finetune/mini/numbers/mixed_40/0",
)


def audit(results: Path) -> list[Finding]:
    read = read_results(results, ROOT)
    read_contents(read, 1)
    return run_checks(read, INTEGRITY)


def record_of(results: Path, name: str) -> Path:
    return record_path(results / name)


def test_a_result_edited_with_its_record_and_without_the_seal_is_found(results: Path):
    (results / LEAF / "metrics.json").write_text('{"accuracy": {"value": 0.9}}\n')
    path = record_of(results, LEAF)
    record = json.loads(path.read_text())
    del record["seal"]
    record["files"] = sha256_files(results / LEAF)
    record["sha256"] = digest_files(record["files"])
    path.write_text(json.dumps(record, indent=1) + "\n")
    (found,) = audit(results)
    assert (found.kind, found.where) == ("damaged record", f"results/{LEAF}{SUFFIX}")
    assert "no seal" in found.why


def put(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(to: str):
    def make(path: Path) -> None:
        path.unlink()
        path.symlink_to(to)

    return make


def listen(path: Path) -> None:
    path.unlink()
    short = Path(os.path.relpath(path))  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as own:
        here = Path.cwd()
        os.chdir(path.parent)
        own.bind(short.name)
        os.chdir(here)


def huge(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(2**40)


def rewritten(**changes: object):
    def write(path: Path) -> None:
        record = json.loads(path.read_text()) | changes
        record.pop("seal")
        path.write_text(dump(record))

    return write


def bytes_of(text: str):
    return lambda path: put(path, text.encode(errors="surrogatepass"))


DEEP: list = []
for _ in range(300):
    DEEP = [DEEP]

IN_ITS_PLACE = {
    "a pipe": pipe,
    "a folder": folder,
    "a broken link": link("nowhere"),
    "a link to itself": link(Path(TABLE).name + SUFFIX),
    "a device": link("/dev/zero"),
    "a socket": listen,
    "of a terabyte": huge,
    "nothing": bytes_of(""),
    "no JSON": bytes_of("{"),
    "a list": bytes_of("[]"),
    "null": bytes_of("null"),
    "deep": bytes_of("[" * 100_000 + "]" * 100_000),
    "deep and closed by nothing": bytes_of('{"a":' * 100_000),
    "no UTF-8": lambda path: put(path, b"\xff\xfe{}"),
    "half a character": bytes_of('{"output": "\ud800"}'),
    "a long number": bytes_of('{"seed": ' + "9" * 10_000 + "}"),
    "sealed, settings nested deep": rewritten(options={"a": DEEP}),
    "sealed, of an output elsewhere": rewritten(output="results/../../etc/passwd"),
    "sealed, of no output": rewritten(output="/etc/passwd"),
    "sealed, of a step elsewhere": rewritten(step="../../etc/passwd"),
    "sealed, with other types": rewritten(wildcards={"model": 5}),
    "sealed, with a list of inputs": rewritten(inputs=["a"]),
    "sealed, with no time": rewritten(wall_s="long"),
    "sealed, made from itself": rewritten(inputs={f"results/{TABLE}": "0" * 64}),
    "sealed, with no digest": rewritten(sha256="0"),
    "sealed, without its wildcards": rewritten(
        step="mix_instructions", wildcards={}, inputs={"results/label_knowledge/x": "0" * 64}
    ),
}


@pytest.mark.parametrize("what", IN_ITS_PLACE)
def test_what_stands_in_the_place_of_a_record_is_a_finding(results: Path, what: str, capfd):
    IN_ITS_PLACE[what](record_of(results, TABLE))
    assert any(f.where.startswith(f"results/{TABLE}") for f in audit(results))
    # The other commands go on without it.
    assert main(["audit", str(results), "--root", str(ROOT)]) == 1
    assert main(["trace", "numbers/next/20", "--results", str(results)]) in (0, 2)
    assert main(["diff", str(results), str(results)]) == 0
    assert "Traceback" not in capfd.readouterr().err


def test_every_edit_of_a_record_breaks_its_seal(results: Path):
    """Random edits of the text: of a byte, a span, a key; none is read as whole."""
    path = record_of(results, TABLE)
    text = path.read_text()
    for number in range(500):
        rng = random.Random(number)
        at, to = sorted(rng.sample(range(len(text)), 2))
        edited = rng.choice(
            [
                text[:at] + chr(rng.randrange(32, 127)) + text[at + 1 :],
                text[:at] + text[to:],
                text[:at],
                text[:at] + text[at:to] * 2 + text[to:],
                text + " " * rng.randrange(1, 9),
                text.replace("\n", "\r\n"),
                json.dumps(json.loads(text)),
                json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n",
                text.replace('"seal"', '"seal": "", "seal"'),
                text.replace('"seed":', '"seed": NaN, "old":'),
            ]
        )
        path.write_text(edited)
        record, problem = read_record(path)
        assert problem or edited == text, number
        assert record is None or "seal" not in record or edited == text


def test_the_seal_of_another_record_is_none(results: Path):
    path, other = record_of(results, TABLE), record_of(results, LEAF)
    record, seal = json.loads(path.read_text()), json.loads(other.read_text())["seal"]
    path.write_text(json.dumps(record | {"seal": seal}, indent=1) + "\n")
    assert [f.kind for f in audit(results)] == ["damaged record"]


def test_a_number_that_is_not_finite_is_recorded_as_none():
    text = dump({"loss": float("nan"), "all": [1.5, float("-inf"), {"a": float("inf")}]})
    record = json.loads(text)
    assert (record["loss"], record["all"]) == (None, [1.5, None, {"a": None}])
    assert is_sealed(text, record)


def test_newer_records_with_more_in_them_are_whole(results: Path):
    rewritten(energy_kwh=1.5, nested={"a": [1, None]})(record_of(results, TABLE))
    assert audit(results) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: (r / MODEL / "extra").symlink_to("/etc"), "extra"),
        (lambda r: (r / MODEL / "extra").symlink_to("nowhere"), "extra"),
        (lambda r: os.mkfifo(r / MODEL / "pipe"), "pipe"),
        (lambda r: (r / MODEL / ".snakemake_timestamp").write_text("x"), ".snakemake_timestamp"),
        (lambda r: (r / MODEL / b"\xff.txt".decode(errors="surrogateescape")).touch(), "\\udcff"),
    ],
)
def test_whatever_is_added_to_an_output_is_found(results: Path, change, named: str, capsys):
    change(results)
    assert main(["audit", str(results), "--root", str(ROOT)]) == 1
    assert named in capsys.readouterr().out


def test_a_pipe_in_place_of_an_output_is_found(results: Path):
    pipe(results / TABLE)
    assert ("changed", f"results/{TABLE}") in {(f.kind, f.where) for f in audit(results)}


def test_links_to_the_same_bytes_are_the_same_output(results: Path, tmp_path: Path):
    """As when models are moved to another disk, and linked; or kept as hard links."""
    for name in (TABLE, MODEL):
        (results / name).rename(tmp_path / "moved")
        (results / name).symlink_to(tmp_path / "moved")
        (tmp_path / "moved").rename(tmp_path / Path(name).name)
        (results / name).unlink()
        (results / name).symlink_to(tmp_path / Path(name).name)
    os.link(results / LEAF / "metrics.json", tmp_path / "kept.json")
    (results / "probe_knowledge").rename(tmp_path / "probe")
    (results / "probe_knowledge").symlink_to(tmp_path / "probe")
    assert len(read_results(results, ROOT).records) == 10
    assert audit(results) == []
    (results / "probe_knowledge" / "foreign").touch()
    assert [f.where for f in audit(results)] == ["results/probe_knowledge/foreign"]


def test_links_that_lead_back_are_not_followed_for_ever(results: Path):
    for number in range(3):
        (results / f"round{number}").symlink_to(results)
        (results / "probe_knowledge" / f"up{number}").symlink_to("..")
        (results / "probe_knowledge" / f"root{number}").symlink_to("/")
    kinds = {f.kind for f in audit(results)}
    assert kinds == {"unreadable"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_another_user_may_not_read_is_a_finding(results: Path, capsys):
    (results / MODEL / "model.safetensors").chmod(0o600)
    record_of(results, TABLE).chmod(0o600)
    (results / "probe_knowledge").chmod(0o700)
    for parent in results.parents[:-1]:
        parent.chmod(parent.stat().st_mode | 0o055)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        assert main(["audit", str(results), "--root", "/nowhere"]) == 1
    finally:
        os.seteuid(0)
        os.setegid(0)
    said = capsys.readouterr().out
    for line in (
        f"unreadable: results/{MODEL}: model.safetensors: it cannot be read: Permission denied",
        f"damaged record: results/{TABLE}{SUFFIX}: it cannot be read: Permission denied",
        "unreadable: results/probe_knowledge: its files cannot be listed: Permission denied",
    ):
        assert line in said


def test_the_digest_of_all_records_tells_of_one_sealed_again(results: Path):
    before = read_results(results, ROOT).digest()
    rewritten(seed=7)(record_of(results, LEAF))
    assert audit(results) == []  # a seal has no key, so anybody can set one
    assert read_results(results, ROOT).digest() != before


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"accuracy": [{"value": "x", "low": 1}]}', "[" * 9999]
)
def test_numbers_of_an_altered_file_are_not_made_sense_of(results: Path, text: str, capsys):
    other = results.parent / "other"
    shutil.copytree(results, other)
    (other / LEAF / "metrics.json").write_text(text)
    rewritten(seed=3, sha256="1" * 64)(record_of(other, LEAF))
    assert main(["diff", str(results), str(other)]) == 1
    assert "metrics.json: gone, or not what the step wrote; run tuneatlas audit" in (
        capsys.readouterr().out
    )
    assert main(["trace", "--of", "accuracy/x", "--results", str(other)]) == 2
    assert "not what the step wrote; run tuneatlas audit" in capsys.readouterr().err

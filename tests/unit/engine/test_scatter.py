"""Steps whose batches jobs and processes share write the same bytes, or say why they cannot."""

import errno
import json
from pathlib import Path
from urllib.error import HTTPError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import TEMPLATES, question
from tests.unit.steps import a_step, record_of_shard, run_script, shards_by
from tuneatlas.engine import scatter
from tuneatlas.engine.records import dump, record_path
from tuneatlas.engine.resume import Parts, Share
from tuneatlas.engine.scatter import in_processes, refuse_needless, shared
from tuneatlas.errors import TransientError, UserError
from tuneatlas.models.save import save_model
from tuneatlas.tables import QUESTIONS

OPTIONS = {
    "shots": 2,
    "demonstration_seed": 42,
    "draws": 2,
    "rotations": 2,
    "scoring": "cloze",
    "batch_tokens": 150,
    "dtype": "float32",
}
ASKED = {"bos": {"home": True, "related": False}, "splits": ["train", "test"]}


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 60))
def test_each_part_of_all_loops_is_of_one_share(jobs: int, processes: int, parts: int):
    shares = [
        Share(job, jobs, Share(process, processes))
        for job in range(1, jobs + 1)
        for process in range(1, processes + 1)
    ]
    dealt = []
    for share in shares:
        outer = Parts(share=share)
        loops = [outer, outer.within("a"), outer.within("b")]
        dealt.append([(at, i) for at, loop in enumerate(loops) for i in loop.due(range(parts))])
    everything = sorted(one for own in dealt for one in own)
    assert everything == [(at, i) for at in range(3) for i in range(parts)]
    # A job's part is the same whatever the number of processes in it, and jobs have alike many.
    whole = [list(Parts(share=Share(job, jobs)).due(range(parts))) for job in range(1, jobs + 1)]
    assert max(map(len, whole)) - min(map(len, whole)) <= 1


def probing(folder: Path, **more: object) -> dict:
    inputs = {"model": folder / "model", "questions": folder / "numbers.parquet"}
    return inputs | {"template": TEMPLATES / "questions/cloze.yaml", **more}


@pytest.fixture
def asked(tmp_path: Path, model, tokenizer) -> Path:
    save_model(tmp_path / "model", model, tokenizer)
    rows = [question(n, split="dev" if n < 4 else "train") for n in range(16)]
    rows += [question(n, split="test", role="related") for n in range(16, 22)]
    rows += [question(n, split="dev", role="related") for n in range(22, 25)]
    QUESTIONS.write(tmp_path / "numbers.parquet", rows)
    return tmp_path


def probed(folder: Path, name: str, options: dict = OPTIONS, **inputs: object) -> bytes:
    outputs = {"answers": f"{name}.parquet", "knowledge": f"{name}-knowledge.parquet"}
    step = a_step(folder, probing(folder, **inputs), outputs, dict(options), work=f".{name}")
    run_script("probe_knowledge", step, **ASKED)
    return b"".join(path.read_bytes() for path in step.outputs.values())


def shards(folder: Path, count: int) -> list[Path]:
    return shards_by("probe_shard", folder, probing(folder), OPTIONS, count, **ASKED)


def test_probing_in_any_number_of_shards_and_processes_writes_the_same_bytes(asked: Path):
    whole = probed(asked, "whole")
    for count in (2, 3, 7):
        found = shards(asked, count)
        sizes = [sum(map(len, json.loads(path.read_text()).values())) for path in found]
        assert min(sizes) > 0 and max(sizes) - min(sizes) <= 1
        assert probed(asked, f"of-{count}", shards=found) == whole
    # As few questions fit a batch as when the shards were made, whatever the config says now.
    assert probed(asked, "other", OPTIONS | {"batch_tokens": 9999}, shards=found) == whole


def test_the_step_that_puts_shards_together_needs_no_weights(asked: Path):
    whole, found = probed(asked, "whole"), shards(asked, 3)
    weights = asked / "model/model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-64] + b"\x7f" * 64)
    assert probed(asked, "again", shards=found) == whole


def test_shards_that_lack_a_batch_are_refused(asked: Path):
    found = shards(asked, 3)
    with pytest.raises(UserError, match=r"none of the shards has batch \d+ of 0-0/0"):
        probed(asked, "again", shards=found[1:])
    found[0].write_text("[1")
    with pytest.raises(UserError, match=r"1-of-3\.json is damaged: delete it"):
        probed(asked, "again", shards=found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": {"frame": "2"}}, r"code \(frame changed\)"),
        ({"libraries": {"torch": "3"}}, r"code \(torch was 2, is 3\)"),
        ({"inputs": {"results/prepare_base/m": "2" * 64}}, r"\(results/prepare_base/m\)"),
        ({"operations": {"batch_tokens": 9}}, r"inputs or settings \(batch_tokens\)"),
        ({"options": OPTIONS | {"shots": 3}}, r"settings \(.*shots\)"),
    ],
)
def test_shards_that_disagree_are_refused_by_name(tmp_path: Path, change: dict, said: str):
    paths = [tmp_path / f"{number}-of-2.json" for number in (1, 2)]
    for path, more in zip(paths, ({}, change), strict=True):
        record_path(path).write_text(
            dump(record_of_shard("1-of-2", OPTIONS) | more), encoding="utf-8"
        )
    with pytest.raises(UserError, match=said) as raised:
        scatter.agreed(paths)
    assert str(paths[1]) in str(raised.value) and "run again" in str(raised.value)


def test_more_shards_than_questions_are_refused():
    with pytest.raises(UserError, match=r"probe_knowledge\.shards: 30 jobs cannot share 18"):
        refuse_needless("1-of-30", 18, "questions", "probe_knowledge.shards")
    refuse_needless("1-of-18", 18, "questions", "probe_knowledge.shards")


@settings(max_examples=5, deadline=None)
@given(processes=st.integers(2, 4), jobs=st.integers(1, 3))
def test_processes_make_each_part_once(tmp_path_factory, processes: int, jobs: int):
    folder = tmp_path_factory.mktemp("shared")

    def work(parts: Parts) -> list[tuple[int, int]]:
        inner = parts.within("inner")
        return [inner.of(n, lambda n=n: (n, n * n)) for n in inner.due(range(10))]

    options = {"processes": processes}
    if jobs == 1:
        step = a_step(folder, {}, {}, options)
        assert [tuple(one) for one in shared(step, work)] == [(n, n * n) for n in range(10)]
        return
    found: list[str] = []
    for job in range(1, jobs + 1):
        name = f"{job}-of-{jobs}"
        step = a_step(folder, {}, {"parts": name}, options, work=f".{name}", scatteritem=name)
        scatter.make_shard(step, work)
        found += json.loads(step.outputs["parts"].read_text()).get("inner", {})
    assert sorted(map(int, found)) == list(range(10))


def test_what_a_process_raises_is_raised_and_the_others_end():
    def mistaken() -> None:
        raise UserError("file x: mend it")

    def endless() -> None:
        import time

        time.sleep(60)

    with pytest.raises(UserError, match="file x: mend it"):
        in_processes([endless, mistaken], 1)

    def verbose() -> None:
        # More than a pipe holds.
        raise UserError("mend it " * 50_000)

    with pytest.raises(UserError, match="mend it"):
        in_processes([endless, verbose], 1)

    def unlucky() -> None:
        try:
            raise OSError(errno.EIO, "the disk")
        except OSError as error:
            raise UserError("the weights cannot be read") from error

    # What may pass is tried again, though what it came of is not told.
    with pytest.raises(TransientError, match="the weights cannot be read"):
        in_processes([endless, unlucky], 1)

    def refused() -> None:
        raise HTTPError("http://x", 503, "busy", None, None)  # type: ignore[arg-type]

    with pytest.raises(OSError, match="busy"):
        in_processes([endless, refused], 1)

    def full() -> None:
        raise OSError(errno.ENOSPC, "full", "results/x")

    with pytest.raises(OSError) as raised:
        in_processes([endless, full], 1)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "results/x")

    def killed() -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(TransientError, match=r"ended by SIGKILL.*lower processes"):
        in_processes([killed, endless], 1)


def test_what_a_process_did_before_a_stop_is_not_done_again(tmp_path: Path):
    def work(parts: Parts) -> list[int]:
        def make(number: int) -> int:
            if number == 6 and not (tmp_path / "again").exists():
                raise UserError("cut off")
            with (tmp_path / f"made-{number}").open("a") as file:
                file.write("x")
            return number

        return [parts.of(n, lambda n=n: make(n)) for n in parts.due(range(10))]

    def step():
        return a_step(tmp_path, {}, {}, {"processes": 2})

    with pytest.raises(UserError, match="cut off"):
        shared(step(), work)
    (tmp_path / "again").touch()
    assert shared(step(), work) == list(range(10))
    # Of the other process nothing is known, which was ended.
    assert [(tmp_path / f"made-{n}").read_text() for n in (0, 2, 4, 6)] == ["x"] * 4

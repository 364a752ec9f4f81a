"""A run with files in an object store, a server on this machine."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.workflow.finished_run import SNAKEMAKE, copy_project
from tuneatlas.data.text_files import read_lines

LACKING = [n for n in ("snakemake_storage_plugin_s3", "moto") if not importlib.util.find_spec(n)]
CONFIG = """
include: smoke.yaml
domains:
  countries: null
  law: {source: file, path: s3://lab/law.jsonl, licence: MIT, tune: true}
compare_groups: {ood_roles: [home]}
stage_forgetting: {domains: [law]}
"""
NOWHERE = "http://127.0.0.1:1"
TARGET = "results/prepare_questions/law.parquet"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("objects") / "project")
    (folder / "config/law.yaml").write_text(CONFIG)
    return folder


def questions(number: int) -> str:
    rows = [
        {"question": f"Q{n}?", "choices": ["a", "b", "c", "d"], "answer": 0, "split": split}
        for n, split in enumerate(["dev"] * 5 + ["train"] * number + ["test"] * 5)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def run(project: Path, address: str, *words: str) -> tuple[int, str]:
    # In the process's own Python, where plugins may lie that the environment of the project lacks.
    command = [sys.executable, "-m", "snakemake"] if not LACKING else [SNAKEMAKE]
    own = {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address, "PYTHONPATH": str(project / "src")}
    own |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    done = subprocess.run(
        [*command, "--cores", "1", "--configfile", "config/law.yaml", *words, "--", TARGET],
        cwd=project,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, object]]:
    """The address of a store, and a client of it."""
    if LACKING:
        pytest.skip(f"{', '.join(LACKING)} not installed (envs/clouds.txt)")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "x")
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="lab")
    yield address, client
    server.stop()


def test_files_of_a_store_are_brought_before_they_are_looked_at(project, server):
    address, client = server
    client.put_object(Bucket="lab", Key="law.jsonl", Body=b"no question")
    code, said = run(project, address)
    # By the checks before the first job, as any file of the user's.
    assert code and "data/s3/lab/law.jsonl, line 1" in said
    client.put_object(Bucket="lab", Key="law.jsonl", Body=questions(20).encode())
    code, said = run(project, address)
    assert not code and "s3://lab/law.jsonl is brought" in said, said
    assert len([*read_lines(project / "data/s3/lab/law.jsonl")]) == 30
    record = json.loads((project / f"{TARGET}.record.json").read_text())
    assert "data/s3/lab/law.jsonl" in record["inputs"]
    # A dry-run asks no store, and a run starts only where it answers.
    code, said = run(project, NOWHERE, "--dry-run")
    assert not code and "Nothing to be done" in said, said
    code, said = run(project, NOWHERE)
    assert code and "s3://lab/law.jsonl: cannot be brought: Could not connect" in said
    assert "Traceback" not in said
    client.put_object(Bucket="lab", Key="law.jsonl", Body=questions(21).encode())
    code, said = run(project, address)
    assert not code and "is brought" in said and "prepare_questions" in said


def test_what_is_replaced_while_a_run_is_at_work_is_used_by_the_next(project, server):
    """In the store it is older than what was made of the one before."""
    address, client = server
    client.put_object(Bucket="lab", Key="law.jsonl", Body=questions(20).encode())
    brought = project / "data/s3/lab/law.jsonl"
    brought.unlink(missing_ok=True)

    def replace() -> None:
        while not brought.exists():
            time.sleep(0.05)
        client.put_object(Bucket="lab", Key="law.jsonl", Body=questions(25).encode())

    with ThreadPoolExecutor() as pool:
        pool.submit(replace)
        assert not run(project, address)[0]
    for said in ("prepare_questions law: done", "Nothing to be done"):
        assert said in run(project, address)[1]
    assert len([*read_lines(brought)]) == 35


@pytest.mark.skipif("snakemake_storage_plugin_s3" not in LACKING, reason="the plugin is installed")
def test_without_the_plugin_it_is_said_what_brings_it(project):
    code, said = run(project, NOWHERE)
    assert code and "s3://lab/law.jsonl: to bring it takes Snakemake's storage plugin" in said


def test_results_in_a_store_are_refused(project):
    where = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://lab/run")
    if "snakemake_storage_plugin_s3" in LACKING:
        pytest.skip("snakemake_storage_plugin_s3 not installed (envs/clouds.txt)")
    code, said = run(project, NOWHERE, *where)
    assert code and "results cannot lie in an object store" in said

"""A run on Kubernetes, whose place a server on this machine takes: a pod is a process here."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from tests.examples import ROOT
from tests.workflow.finished_run import copy_project
from tests.workflow.test_objects import questions

PLUGIN = "snakemake_executor_plugin_kubernetes"
PROFILE = ROOT / "profiles/kubernetes/config.yaml"
pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec(PLUGIN), reason=f"{PLUGIN} not installed (envs/clouds.txt)"
)
CONFIG = """
include: smoke.yaml
domains:
  countries: null
  law: {source: file, path: data/law.jsonl, licence: MIT, tune: true}
compare_groups: {ood_roles: [home]}
stage_forgetting: {domains: [law]}
"""
GPUS = ("--set-resources", "prepare_questions:gpu=2")
TARGET = "results/prepare_questions/law.parquet"


class Cluster(BaseHTTPRequestHandler):
    """The few answers of the API that the executor asks for; of a job it runs the command."""

    jobs: ClassVar[dict[str, dict[str, Any]]] = {}
    codes: ClassVar[dict[str, int]] = {}
    empty: ClassVar[Path]

    def answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/jobs"):
            name = sent["metadata"]["name"]
            (container,) = sent["spec"]["template"]["spec"]["containers"]
            words = [*container["command"], *container["args"]]
            # Of the driver's environment a pod has nothing, and begins in an empty folder.
            own = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ["PYTHONPATH"]}
            done = subprocess.run(words, cwd=self.empty, env=own, check=False)
            self.jobs[name], self.codes[name] = sent, done.returncode
        self.answer(sent)

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith("/status"):
            name = self.path.split("/")[-2]
            good = not self.codes[name]
            status = {"succeeded": 1} if good else {"failed": 1}
            return self.answer(self.jobs[name] | {"status": status})
        self.answer({"kind": "PodList", "apiVersion": "v1", "items": []})

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = copy_project(tmp_path / "volume/project")
    (folder / "config/law.yaml").write_text(CONFIG)
    (folder / "data").mkdir()
    (folder / "data/law.jsonl").write_text(questions(20))
    return folder


@pytest.fixture
def cluster(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Cluster.empty = tmp_path / "workdir"
    Cluster.empty.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    named = {"name": "here"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [named | {"context": {"cluster": "here", "user": "here"}}],
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [named | {"user": {"token": "x"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    yield
    server.shutdown()


def run(project: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/kubernetes"]
    command += ["--configfile", "config/law.yaml", "--seconds-between-status-checks", "1"]
    done = subprocess.run(
        [*command, *words, "--", TARGET],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_profile_says_what_the_executor_knows():
    from snakemake_executor_plugin_kubernetes import ExecutorSettings, parse_persistent_volumes

    profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    known = {f"kubernetes-{field.name.replace('_', '-')}" for field in fields(ExecutorSettings)}
    assert {key for key in profile if key.startswith("kubernetes-")} <= known
    (volume,) = parse_persistent_volumes(profile["kubernetes-persistent-volumes"])
    assert volume.path.is_absolute()
    # By what the executor's code reads of a job.
    source = Path(importlib.util.find_spec(PLUGIN).origin).read_text(encoding="utf-8")
    asked = set(re.findall(r'"(\w+)"(?=,| in resources_dict| not in resources_dict)', source))
    assert profile["default-resources"].keys() <= asked


@pytest.mark.usefixtures("cluster")
def test_a_job_is_a_pod_with_the_volume_and_what_the_plan_says(project: Path):
    volume = ("--kubernetes-persistent-volumes", f"claim:{project.parent}")
    code, said = run(project, "--retries", "0")
    assert code and f"no volume is mounted over {project}" in said
    code, said = run(project, *volume, "--dry-run")
    assert not code, said
    assert not Cluster.jobs
    code, said = run(project, *volume, "--retries", "0", *GPUS)
    assert not code, said
    assert (project / f"{TARGET}.record.json").is_file() and not [*Cluster.empty.iterdir()]
    ((pod,),) = ([job["spec"]["template"]["spec"] for job in Cluster.jobs.values()],)
    (container,) = pod["containers"]
    assert {"name": "claim", "mountPath": str(project.parent)} in container["volumeMounts"]
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert limits["nvidia.com/gpu"] == requests["nvidia.com/gpu"] == "2"
    # Twice the first attempt's after a failure; scaled(2000, 20) of the rule.
    assert limits["memory"] == requests["memory"] == "2000M"
    assert container["image"] == "python:3.11"

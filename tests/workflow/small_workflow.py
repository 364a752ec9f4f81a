"""A workflow of small steps that count: real Snakemake, real step frame, no models.

Each step adds what it reads to its own number and writes the sum modulo two, so that many an edit
changes bytes and many another does not.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conftest import ROOT
from finished_run import SNAKEMAKE

HEAD = f"""
from pathlib import Path
from snakemake.exceptions import WorkflowError
from tuneatlas import workflow as tuneatlas
from tuneatlas.errors import UserError
ROOT, PREFIX, IS_MODULE = Path(), "", False
is_own = lambda job: True
step_of = lambda job: job.rule.name
include: "{ROOT}/workflow/rules/times.smk"
include: "{ROOT}/workflow/rules/cutoff.smk"
"""
RULE = """
rule {name}:
    input: files={inputs}
    output: {outputs}
    log: "logs/{name}.log"
    params:
        options={{"add": {add}}},
        code=tuneatlas.code_digest(Path("workflow/scripts/{name}.py")),
    script: "workflow/scripts/{name}.py"
"""
SCRIPT = """
import os
from pathlib import Path

from tuneatlas.engine.step import step

NUMBER = {number}
UNUSED = {unused}


def number_in(path):
    return int((path / "number" if path.is_dir() else path).read_text())


with step(snakemake) as this:
    with open("ran", "a") as ran:
        ran.write(this.name + "\\n")
    if Path("broken." + this.name).exists():
        raise SystemExit("broken")
    inputs = this.paths("files") if this.inputs["files"] else []
    total = NUMBER + this.options["add"] + sum(map(number_in, inputs))
    for name, path in this.outputs.items():
        if name == "folder":
            path.mkdir()
            path = path / "number"
        path.write_text(str(total % 2))
"""


@dataclass
class Node:
    """A step: what it reads (other steps, files of the user), and what else its number rests on."""

    name: str
    reads: list[str]
    files: list[str] = field(default_factory=list)
    kind: str = "file"
    add: int = 0
    number: int = 0
    unused: int = 0

    @property
    def output(self) -> str:
        return f"results/{self.name}"

    @property
    def outputs(self) -> dict[str, str]:
        two = {"other": f"{self.output}_other"} if self.kind == "two" else {}
        return {"folder" if self.kind == "folder" else "file": self.output} | two

    @property
    def inputs(self) -> list[str]:
        return [*(f"results/{name}" for name in self.reads), *self.files]


Nodes = Mapping[str, Node]


def write(project: Path, nodes: Nodes, more: str = "") -> None:
    """Write the workflow; a script that stays as it was is not touched."""
    ends = [
        node.output
        for node in nodes.values()
        if not any(node.name in n.reads for n in nodes.values())
    ]
    rules = [HEAD, f"rule all:\n    input: {ends}\n", more]
    scripts = project / "workflow" / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    for node in nodes.values():
        shown = (
            f'{k}={"directory" if k == "folder" else "str"}("{v}")' for k, v in node.outputs.items()
        )
        rules.append(
            RULE.format(name=node.name, inputs=node.inputs, outputs=", ".join(shown), add=node.add)
        )
        text = SCRIPT.format(number=node.number, unused=node.unused)
        path = scripts / f"{node.name}.py"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    (project / "Snakefile").write_text("\n".join(rules))


def run(project: Path, *words: str) -> tuple[list[str], str]:
    """Run the workflow; the steps that ran, and what was said."""
    (project / "ran").write_text("")
    command = [SNAKEMAKE, "--cores", "1", "--rerun-triggers", "mtime", "params", "input", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return (project / "ran").read_text().split(), done.stdout + done.stderr


def numbers(project: Path, nodes: Nodes) -> dict[str, int]:
    """What each step writes in a run from scratch."""
    found: dict[str, int] = {}
    for node in nodes.values():
        own = [int((project / name).read_text()) for name in node.files]
        found[node.name] = (
            node.number + node.add + sum(own) + sum(found[n] for n in node.reads)
        ) % 2
    return found


def held(project: Path, node: Node) -> list[int]:
    """What the outputs of a step hold; of those that are there."""
    places = (project / path for path in node.outputs.values())
    return [int((p / "number" if p.is_dir() else p).read_text()) for p in places if p.exists()]


def digest(number: int, folder: bool) -> str:
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    if not folder:
        return sha
    return _tree({"number": sha})


def _tree(files: dict[str, str]) -> str:
    from tuneatlas.engine.files import digest_files

    return digest_files(files)


def expected(project: Path, before: Nodes, now: Nodes) -> set[str]:
    """The steps that must run, by the records of the run before and nothing of the package's."""
    new = numbers(project, now)
    content = {node.output: digest(new[node.name], node.kind == "folder") for node in now.values()}
    for node in now.values():
        for name in node.files:
            content[name] = hashlib.sha256((project / name).read_bytes()).hexdigest()
    runs = set()
    for node in now.values():
        path = project / f"{node.output}.record.json"
        if not path.exists():
            runs.add(node.name)
            continue
        made = json.loads(path.read_text())["inputs"]
        old = before[node.name]
        same = (old.number, old.unused, old.add) == (node.number, node.unused, node.add)
        if not same or made != {name: content[name] for name in node.inputs}:
            runs.add(node.name)
    users = {n: [u for u in now.values() if n in u.reads] for n in now}
    for node in reversed(now.values()):
        lacks = [p for p in node.outputs.values() if not (project / p).exists()]
        wanted = not users[node.name] or any(u.name in runs for u in users[node.name])
        if node.output in lacks and wanted:
            runs.add(node.name)
    return runs


def forget(project: Path) -> None:
    """Lose what the engine noted."""
    shutil.rmtree(project / ".snakemake")

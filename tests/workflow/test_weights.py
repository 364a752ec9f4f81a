"""Weights with a life, as real Snakemake does it: they go when all that reads stands."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.workflow.small_workflow import Node, Nodes, run, write

NODES = {
    node.name: node
    for node in (
        Node("base", [], ["own.txt"], kind="folder"),
        Node("tuned", ["base"], kind="folder"),
        Node("restored", ["tuned"], kind="folder"),
        Node("asked", ["tuned"]),
        Node("measured", ["tuned", "restored"]),
        Node("told", ["asked", "measured"]),
    )
}
WEIGHTS = ("tuned", "restored")


def rules(keep: str) -> str:
    kept = {name: {"keep": keep} for name in WEIGHTS}
    return f'operations = {kept}\ninclude: "{ROOT}/workflow/rules/weights.smk"'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "own.txt").write_text("1")
    write(tmp_path, NODES, rules("until measured"))
    return tmp_path


CHAINS = {
    f"{kind}{n}": Node(f"{kind}{n}", reads, kind="folder" if kind == "tuned" else "file")
    for n in range(4)
    for kind, reads in (("tuned", []), ("asked", [f"tuned{n}"]))
}
ROOM = """
operations = {{f"tuned{{n}}": {{"keep": "until measured"}} for n in range(4)}}
operations["storage"] = {{"at_most_gb": {limit}}}
include: "{root}/workflow/rules/weights.smk"
from tuneatlas.sizing.storage import Held
held_of = lambda job: Held(10.0, 5.0) if job.rule.name.startswith("tuned") else None
chain_of = lambda job: job.rule.name
"""


def there(project: Path) -> set[str]:
    return {name for name in NODES if (project / "results" / name).exists()}


def record(project: Path, name: str) -> dict:
    return json.loads((project / f"results/{name}.record.json").read_text())


def ran(project: Path, *words: str) -> list[str]:
    return sorted(run(project, *words)[0])


def rewritten(project: Path, **changes: Node) -> Nodes:
    nodes = {**NODES, **changes}
    write(project, nodes, rules("until measured"))
    return nodes


def test_weights_go_when_all_that_reads_them_stands_and_nothing_runs_again(project: Path):
    assert ran(project) == sorted(NODES)
    assert there(project) == set(NODES) - {*WEIGHTS}
    said = record(project, "tuned")["let_go"]
    assert said["keep"] == "until measured" and said["when"].endswith("Z")
    assert record(project, "asked")["inputs"]["results/tuned"] == record(project, "tuned")["sha256"]
    assert ran(project) == []


def test_they_come_back_alone_with_the_same_hash_and_go_again(project: Path):
    run(project)
    before = record(project, "tuned")["sha256"]
    rewritten(project, asked=replace(NODES["asked"], unused=1))
    assert ran(project) == ["asked", "tuned"]
    assert record(project, "tuned")["sha256"] == before
    assert there(project) == set(NODES) - {*WEIGHTS}
    # By hand: who asks for weights keeps them.
    assert ran(project, "--", "results/tuned") == ["tuned"]
    assert "let_go" not in record(project, "tuned")
    assert "tuned" in there(project)
    assert ran(project) == []
    assert "tuned" not in there(project)


def test_an_edit_before_them_makes_them_anew(project: Path):
    run(project)
    rewritten(project, base=replace(NODES["base"], number=1))
    assert {"base", "tuned", "restored", "asked", "measured"} <= set(ran(project))
    assert there(project) == set(NODES) - {*WEIGHTS}


def test_equal_bytes_before_them_bring_nothing_back(project: Path):
    run(project)
    rewritten(project, base=replace(NODES["base"], unused=1))
    assert ran(project) == ["base"]
    assert there(project) == set(NODES) - {*WEIGHTS}


def test_what_failed_to_be_read_stays(project: Path):
    (project / "broken.measured").touch()
    run(project, "--keep-going")
    assert {*WEIGHTS} <= there(project)
    (project / "broken.measured").unlink()
    assert ran(project) == ["measured", "told"]
    assert not {*WEIGHTS} & there(project)


def test_a_part_of_the_experiment_keeps_what_the_rest_may_read(project: Path):
    assert ran(project, "--", "results/asked") == ["asked", "base", "tuned"]
    assert "tuned" in there(project)
    assert ran(project) == ["measured", "restored", "told"]
    assert not {*WEIGHTS} & there(project)


def test_what_a_spared_job_may_read_stays_until_it_is_known_whether_it_runs(project: Path):
    nodes = {
        node.name: node
        for node in (
            *(NODES[name] for name in ("base", *WEIGHTS, "asked")),
            Node("late", ["asked"]),
            Node("measured", ["restored", "late"]),
        )
    }
    write(project, nodes, rules("until measured"))
    run(project)
    assert not {*WEIGHTS} & there(project)
    # The weights come out as before; that a job which reads them must run is known at the end.
    nodes["tuned"] = replace(nodes["tuned"], unused=1)
    nodes["asked"] = replace(nodes["asked"], number=1)
    write(project, nodes, rules("until measured"))
    order, said = run(project)
    assert order == ["tuned", "asked", "late", "restored", "measured"], said
    assert not {*WEIGHTS} & there(project)


def test_never_asks_for_no_more_than_the_run(project: Path):
    write(project, NODES, rules("never"))
    ran(project, "--", "results/asked")
    assert "tuned" not in there(project)


@pytest.mark.parametrize("at", ["before the record", "before the rename", "half removed"])
def test_killed_on_the_way_it_is_done_by_the_next_run(project: Path, at: str):
    from tuneatlas.engine import letting_go

    write(project, NODES, rules("weights"))
    run(project)
    folder = project / "results/tuned"
    if at != "before the record":
        script = (
            "import os, sys; from pathlib import Path; from tuneatlas.engine import letting_go\n"
            "kill = lambda *a: os._exit(9)\n"
            f"{'Path.rename = kill' if at == 'before the rename' else 'calls = []'}\n"
            "if sys.argv[1:]:\n"
            "    real = letting_go.remove\n"
            "    letting_go.remove = lambda p: kill() if p.exists() else real(p)\n"
            "letting_go.let_go(Path('results/tuned'), 'until measured')\n"
        )
        half = ["half"] if at == "half removed" else []
        done = subprocess.run(
            [str(ROOT / ".venv/bin/python"), "-c", script, *half],
            cwd=project,
            env={"PYTHONPATH": str(ROOT / "src")},
            check=False,
        )
        assert done.returncode == 9
        assert folder.exists() == (at == "before the rename")
    assert letting_go.is_there(folder)
    write(project, NODES, rules("until measured"))
    assert ran(project) == []
    assert not letting_go.is_there(folder)
    assert record(project, "tuned")["let_go"]["keep"] == "until measured"


@pytest.mark.parametrize(("limit", "most"), [(15, 1), (44, 2), (1000, 4)])
def test_no_more_is_held_than_the_experiment_allows(tmp_path: Path, limit: int, most: int):
    write(tmp_path, CHAINS, ROOM.format(limit=limit, root=ROOT))
    order, said = run(tmp_path)
    assert sorted(order) == sorted(CHAINS), said
    held = [
        sum(name.startswith("tuned") for name in order[:n])
        - sum(name.startswith("asked") for name in order[:n])
        for n in range(len(order))
    ]
    assert max(held) <= most
    assert {p.name for p in (tmp_path / "results").iterdir() if p.is_dir()} == set()


def test_what_cannot_be_held_is_refused_before_the_first_job(tmp_path: Path):
    write(tmp_path, CHAINS, ROOM.format(limit=14, root=ROOT))
    order, said = run(tmp_path)
    assert not order
    assert "storage.at_most_gb: 14 GB are too few" in said


def test_weights_that_cannot_be_let_go_keep_their_room_and_nobody_waits_for_ever(tmp_path: Path):
    late = """
measured = tuneatlas.are_measured
tuneatlas.are_measured = lambda weights, *more: (
    "tuned0" not in str(weights[0]) and measured(weights, *more)
)
"""
    write(tmp_path, CHAINS, ROOM.format(limit=15, root=ROOT) + late)
    order, said = run(tmp_path)
    assert sorted(order) == sorted(CHAINS), said
    assert {p.name for p in (tmp_path / "results").iterdir() if p.is_dir()} == {"tuned0"}
    assert ("results/tuned0 stays, as not all that reads it stands" in said) == (
        order[-1] != "asked0"
    )


def test_weights_that_were_read_by_now_are_in_nobodys_way(tmp_path: Path):
    """Of a run that let nothing go, or that a kill ended."""
    kept = ROOM.format(limit=1000, root=ROOT).replace("until measured", "weights")
    write(tmp_path, CHAINS, kept)
    order, _ = run(tmp_path, "--", *(f"results/asked{n}" for n in range(3)))
    assert len(order) == 6
    write(tmp_path, CHAINS, ROOM.format(limit=15, root=ROOT))
    order, said = run(tmp_path)
    assert order == ["tuned3", "asked3"], said
    assert not any(path.is_dir() for path in (tmp_path / "results").iterdir())


def test_weights_of_which_the_reader_failed_keep_their_room(tmp_path: Path):
    write(tmp_path, CHAINS, ROOM.format(limit=15, root=ROOT))
    for n in range(4):
        (tmp_path / f"broken.asked{n}").touch()
    order, _ = run(tmp_path, "--keep-going")
    assert len(order) == 2
    for n in range(4):
        (tmp_path / f"broken.asked{n}").unlink()
    order, said = run(tmp_path)
    assert len(order) == 7, said


READ = """
include: {config}
finetune: {{keep: until measured}}
finetune_stages: {{keep: until measured}}
restore_stages: {{keep: until measured}}
pretrain_plain: {{keep: until measured}}
pretrain_structure: {{keep: until measured}}
pretrain_syntax: {{keep: until measured}}
finetune_paraphrase: {{keep: until measured}}
evaluate_harness: {{tasks: [arc_easy]}}
"""
# What each study reads of what may go, and what is said to be read elsewhere.
ASKED = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness
from snakemake.settings.types import ResourceSettings
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    flow = api.workflow(
        ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[Path(sys.argv[1])]),
        snakefile=Path("Snakefile").absolute(),
    )
    targets = {"all", "s1", "s2", "s3"}
    flow.dag(DAGSettings(targets=targets)).summary()
    flow = flow._workflow
    dag, rules = flow.dag, flow.globals


    def behind(jobs):
        todo, found = [*jobs], set()
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += dag._dependencies[one]
        return found

    of = {job.rule.name: behind([job]) for job in dag.jobs if job.rule.name in targets}
    makers_of = {str(path): job for job in dag.jobs for path in job.output}
    lacking, makers = [], set()
    for job in of["all"]:
        if rules["keep_of"](job) == "weights":
            continue
        makers.add(job.rule.name)
        elsewhere = behind(makers_of[path] for path in rules["read_elsewhere"](job))
        for study in ("s1", "s2", "s3"):
            for reader in dag.depending[job] if job in of[study] else ():
                if reader not in of[study] and reader not in elsewhere:
                    lacking.append([study, job.rule.name, reader.rule.name])
    print("FOUND", json.dumps([sorted(makers), lacking]))
"""


def test_a_study_alone_keeps_what_any_other_reads(tmp_path: Path):
    """By the plan of an experiment with all of them: none is named twice."""
    config = tmp_path / "all.yaml"
    config.write_text(READ.format(config=ROOT / "config/atlas.yaml"))
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-c", ASKED, str(config)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FOUND" in done.stdout, done.stderr
    makers, lacking = json.loads(done.stdout.partition("FOUND")[2])
    assert {"finetune", "finetune_stages", "restore_stages", "finetune_paraphrase"} <= {*makers}
    assert lacking == []

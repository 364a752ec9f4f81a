"""What every rule, script, config and environment of the project keeps to."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tests.workflow.plans import planned

RULES = sorted((ROOT / "workflow" / "rules").rglob("*.smk"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
BIN = Path(sys.executable).parent
CONFIGS = [
    path.relative_to(ROOT)
    for path in sorted((ROOT / "config").rglob("*.yaml"))
    if not {"templates", "base"} & set(path.parts) and path.stem != "defaults"
]


FREE = ("threads", "localrule")


def blocks() -> list[tuple[str, str]]:
    """Name and text of each rule."""
    found = []
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)[1:]
        found += list(zip(parts[::2], parts[1::2], strict=True))
    return found


@pytest.mark.parametrize(("name", "text"), blocks(), ids=[name for name, _ in blocks()])
def test_one_name_per_step(name: str, text: str):
    """Rule, script, log and results bear the step's name; a sentence says why."""
    assert text.lstrip().startswith('"""'), "the rule has no docstring"
    assert f'../scripts/{name}.py"' in text
    assert f'code=code("{name}")' in text
    assert f'"logs/{name}' in text
    order = [w for w in re.findall(r"^    (\w+):", text, re.MULTILINE) if w not in FREE]
    wanted = [
        *("input", "output", "log", "wildcard_constraints", "resources", "params"),
        "script",
    ]
    assert order == [w for w in wanted if w in order]


def test_every_script_has_its_rule_and_is_glue():
    names = {name for name, _ in blocks()}
    assert {path.stem for path in SCRIPTS} == names
    for path in SCRIPTS:
        lines = [x for x in path.read_text(encoding="utf-8").splitlines() if x.strip()]
        code = [x for x in lines if not x.startswith(("from ", "import "))]
        assert len(code) <= 20, f"{path.name}: {len(code)} lines; move logic to the package"


def test_the_package_knows_no_workflow_engine():
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(n.split(".")[0] == "snakemake" for n in names), path


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_shipped_config_plans(config: Path):
    """Without network, data or a processor of another kind; down to the report."""
    steps = {job.step for job in planned(ROOT, [ROOT / config])}
    alone = config.stem == "own-paraphrase"
    assert {"fetch_source", "report_syntax" if alone else "report", "index", "audit"} <= steps
    assert not alone or "prepare_base" not in steps


def test_measures_of_the_atlas_that_are_left_out_are_not_made():
    jobs = planned(ROOT, [ROOT / "config/distance.yaml"])
    measures = {"interpolate_weights", "measure_distance", "ask_battery", "measure_changes"}
    measures |= {"probe_states", "relearn_facts"}
    made = {job.step for job in jobs}
    assert made & measures == {"interpolate_weights", "measure_distance"}
    (told,) = (job for job in jobs if job.step == "map_treatments")
    assert {path.split("/")[1] for path in told.inputs} & measures == made & measures


def test_checkpoints_are_measured_by_the_atlas_beside_tunings_or_alone(tmp_path: Path):
    """Of a base model, or of one of several replicates; what is restored is asked again."""
    given = {"source": "path", "path": "none"}
    own = {
        "include": str(ROOT / "config/config.yaml"),
        "models": {"mini": {"replicates": [0, 1]}},
        "checkpoints": {
            "once": {**given, "base": "mini-1", "restore": False},
            "along": {**given, "base": "mini-0", "path": "x/{step}", "steps": [2, 10]},
        },
        "atlas": {"checkpoints": ["once", "along"], "seeds": [0], "orders": 0},
    }
    for groups, tunings in ((["harmonious"], 4), ([], 0)):
        own["atlas"]["groups"] = groups
        config = tmp_path / f"atlas-{tunings}.yaml"
        config.write_text(yaml.safe_dump(own), encoding="utf-8")
        jobs = planned(ROOT, [config])
        # Also of the base model of each checkpoint alone, which has a page of its own.
        maps = {job.wildcards["model"]: job for job in jobs if job.step == "map_treatments"}
        told = maps.pop("mini")
        assert maps.keys() == {"mini-0", "mini-1"}
        battery = {path for path in told.inputs if path.startswith("results/ask_battery/")}
        mine = {
            "results/ask_battery/mini-1/given/once/0.parquet",
            "results/ask_battery/mini-0/given/along/0.parquet",
        }
        assert mine <= battery and len(battery - mine) == tunings
        asked = {job.wildcards["model"]: job for job in jobs if job.step == "measure_distance"
                 and job.wildcards["domain"] == "given"}  # fmt: skip
        folders = [path for path in asked["mini-0"].inputs if "prepare_checkpoint" in path]
        assert [Path(path).name for path in folders] == ["2", "10"]
        again = [path for path in told.inputs if "/measure_checkpoint/" in path]
        assert again == ["results/measure_checkpoint/mini-0/along/10/0.answers.parquet"]
        relearnt = [path for path in told.inputs if "/relearn_facts/" in path]
        assert [path for path in relearnt if "given" in path] == [
            "results/relearn_facts/mini-0/given/along/0.parquet"
        ]
        assert {"report_map", "report"} <= {job.step for job in jobs}


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_without_a_target_everything_is_planned(snakefile: str):
    """As `tuneatlas why` and `audit` ask for it; the engine forgets an included default."""
    command = [BIN / "snakemake", "-s", snakefile, "--configfile", "config/smoke.yaml", "-n"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.search(r"^all +1$", done.stdout + done.stderr, re.MULTILINE), done.stderr


def test_a_project_whose_folder_has_blanks_plans_from_elsewhere(tmp_path: Path):
    home, work = tmp_path / "a b", tmp_path / "work"
    work.mkdir()
    home.mkdir()
    for name in ("Snakefile", "config", "envs", "profiles", "src", "workflow"):
        (home / name).symlink_to(ROOT / name)
    command = [BIN / "snakemake", "-s", home / "Snakefile", "-n", "-q", "--cores", "1"]
    command += ["--configfile", home / "config/syntax-smoke.yaml"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    command += ["--sdm", "apptainer"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert "takes no container image by a path with blanks" in done.stdout + done.stderr


def test_lint_finds_nothing():
    done = subprocess.run(
        [BIN / "snakemake", "--lint"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_study_alone_says_how_the_report_is_made_of_the_same_experiment():
    command = ["make", "-n", "run", "TARGET=s1", "CONFIG=config/smoke.yaml", "PROFILE=slurm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make run CONFIG=config/smoke.yaml PROFILE=slurm adds the report" in done.stdout


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_environments_agree_on_every_version():
    lock = pins((ROOT / "envs" / "lock.txt").read_text(encoding="utf-8"))
    asked = (ROOT / "envs" / "requirements.in").read_text(encoding="utf-8")
    for name, version in pins(asked).items():
        assert lock[name] == version, f"{name}: requirements.in and lock.txt differ; make lock"
    conda = yaml.safe_load((ROOT / "envs" / "conda.yaml").read_text(encoding="utf-8"))
    assert conda["dependencies"][-1] == {"pip": ["-r lock.txt"]}
    assert "envs/lock.txt" in (ROOT / "envs" / "container.def").read_text(encoding="utf-8")


def test_the_slurm_profile_knows_every_rule_with_a_gpu():
    """A rule it does not know would wait in the wrong partition."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    rules = dict(blocks())
    named = set(profile["set-resources"]) | {x.split("=")[0] for x in profile["groups"]}
    assert named <= rules.keys()
    gpu = {name for name, text in rules.items() if re.search(r"\*\*(asks|trains)\(", text)}
    on_gpu = {n for n, r in profile["set-resources"].items() if "slurm_partition" in r}
    assert on_gpu == gpu
    assert "slurm-array-jobs" not in profile, "job arrays lose finished results"
    account, partition = (
        profile["default-resources"][k] for k in ("slurm_account", "slurm_partition")
    )
    assert account and partition

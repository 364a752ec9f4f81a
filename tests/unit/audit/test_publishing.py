"""A published model: its files and a card of what its records say; whole, or not at all."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tuneatlas.audit.publishing import LICENCES
from tuneatlas.cli import main
from tuneatlas.engine.files import PARTIAL
from tuneatlas.engine.records import dump, record_path

COMMIT = "0123456789" * 4
MODEL = "results/finetune/mini/numbers/mixed_40/0"


@pytest.fixture
def project(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(results.parent)
    return results.parent


def test_a_card_says_what_it_is_what_it_scores_and_what_made_it(project: Path, capsys):
    model = project / MODEL
    restate(model, licence="Apache-2.0", base=f"owner/base {COMMIT}")
    assert main(["publish", MODEL, "--to", "there"]) == 0
    assert "Written: there. Nothing was uploaded" in capsys.readouterr().out
    for path in model.iterdir():
        if path.name not in ("README.md", ".snakemake_timestamp"):
            assert (project / "there" / path.name).read_bytes() == path.read_bytes()
            # A card for the hub is no business of the run's.
            assert not (project / "there" / path.name).samefile(path)
    card = (project / "there/README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front == {
        "library_name": "transformers",
        "license": "apache-2.0",
        "base_model": "owner/base",
        "tags": ["tuneatlas", "finetune"],
    }
    # Every third of ten questions is answered rightly.
    assert "| `evaluate_knowledge` | numbers | accuracy | 0.400 |" in card
    assert "model mini, domain numbers, group mixed_40, seed 0" in card
    assert (
        "SHA-256" in card and "Libraries: " in card and f"- Base model: owner/base {COMMIT}" in card
    )
    # The same model has the same card.
    assert main(["publish", f"{project}/{MODEL}/", "--to", "again"]) == 0
    assert (project / "again/README.md").read_text() == card


def test_the_card_of_preference_tuning_names_both_sides(project: Path):
    record = json.loads(record_path(project / MODEL).read_text())
    (preferred,) = (name for name in record["inputs"] if "/mix_instructions/" in name)
    rejected = preferred.replace("/mixed_40/", "/other/")
    made = json.loads(record_path(project / preferred).read_text())
    made |= {"output": rejected, "wildcards": {**made["wildcards"], "group": "other"}}
    record["inputs"][rejected] = made["sha256"]
    record["options"]["treatment"] = {"over": "other"}
    (project / rejected).parent.mkdir()
    (project / rejected).write_bytes((project / preferred).read_bytes())
    for place, told in ((rejected, made), (MODEL, record)):
        del told["seal"]
        record_path(project / place).write_text(dump(told))
    assert main(["publish", MODEL, "--to", "there"]) == 0
    card = (project / "there/README.md").read_text()
    said = f"- Data, replies that those above are preferred to: `{rejected}`, SHA-256 "
    assert said + made["sha256"] in card
    assert card.count("are preferred to") == 1


def restate(model: Path, licence: str, base: str) -> None:
    """Write a card as a step does, and a true record of it."""
    from tuneatlas.engine.files import digest_files, sha256_files

    (model / "README.md").write_text(
        f'---\nlicense: "{licence}"\n---\n# finetune\n\n- Base model: {base}\n'
    )
    record = json.loads(record_path(model).read_text())
    files = sha256_files(model)
    record |= {"files": files, "sha256": digest_files(files)}
    del record["seal"]
    record_path(model).write_text(dump(record))
    evaluated = model.parents[4] / "evaluate_knowledge/mini/numbers/mixed_40/0.parquet"
    record = json.loads(record_path(evaluated).read_text())
    record["inputs"][MODEL] = digest_files(files)
    del record["seal"]
    record_path(evaluated).write_text(dump(record))


def test_a_licence_that_the_hub_does_not_know_is_named(project: Path):
    restate(project / MODEL, licence="ours: ask", base="random weights")
    assert main(["publish", MODEL, "--to", "there"]) == 0
    front = yaml.safe_load((project / "there/README.md").read_text().split("---\n")[1])
    assert front["license"] == "other" and front["license_name"] == "ours: ask"
    assert "base_model" not in front
    assert all(name == name.lower() for name in LICENCES)


@pytest.mark.parametrize("folder", ["/home/me/secret/base", "secret/base", "secret/base two"])
def test_a_base_that_is_a_folder_is_none_of_the_hub_and_tells_no_place_here(
    project: Path, folder: str
):
    restate(project / MODEL, licence="mit", base=folder)
    record = json.loads(record_path(project / MODEL).read_text())
    record["options"] |= {"path": "/home/me/secret/data", "more": [{"file": "/secret/one"}]}
    record["inputs"]["/home/me/secret/data"] = "0" * 64
    del record["seal"]
    record_path(project / MODEL).write_text(dump(record))
    assert main(["publish", MODEL, "--to", "there"]) == 0
    card = (project / "there/README.md").read_text()
    assert "base_model" not in yaml.safe_load(card.split("---\n")[1])
    assert "- Base model: " in card and "- Input: `data`" in card
    assert '| `path` | `"data"` |' in card and '`[{"file": "one"}]`' in card
    assert "/home" not in card and "/secret" not in card.replace(folder, "")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("there", "there: is there already; name another folder (TO), or remove it"),
        ("link", "there: is there already"),
        ("changed", "is not what its record says: 'make audit' says more"),
        ("answers", "gone, or not what the step wrote; run make audit"),
        ("table", "holds no config.json with *.safetensors: it is no model"),
        ("unknown", "there is no record of it"),
        ("elsewhere", "no model of a run: name one in results/"),
        ("nothing", "name a model (MODEL of make)"),
    ],
)
def test_what_cannot_be_published_is_refused_and_leaves_nothing(
    project: Path, what: str, said: str, capsys
):
    model = MODEL
    match what:
        case "there":
            Path("there").mkdir()
        case "link":
            Path("there").symlink_to("gone")
        case "changed":
            (project / MODEL / "model.safetensors").write_bytes(b"other")
        case "answers":
            Path("results/evaluate_knowledge/mini/numbers/mixed_40/0.parquet").write_bytes(b"x")
        case "table":
            model = "results/prepare_questions/numbers.parquet"
        case "unknown":
            model = "results/finetune/mini"
        case "elsewhere":
            model = "workflow"
        case "nothing":
            model = ""
    assert main(["publish", model, "--to", "there"]) == 2
    assert said in capsys.readouterr().err
    left = [path.name for path in project.iterdir() if path.name.startswith(PARTIAL)]
    assert not left and (what == "there" or not Path("there").exists())


def test_a_kill_leaves_no_half_folder(project: Path):
    """Killed when some files are copied; once more, it is whole."""
    script = (
        "import os, shutil, signal, sys\n"
        "from tuneatlas.cli import main\n"
        "copy = shutil.copy2\n"
        "def killed(*words, **options):\n"
        "    copy(*words, **options)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "shutil.copytree.__defaults__ = (False, None, killed, False, False)\n"
        f"main(['publish', {MODEL!r}, '--to', 'out/there'])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in Path("out").iterdir()]
    assert len(left) == 1 and left[0].startswith(PARTIAL)
    assert main(["publish", MODEL, "--to", "out/there"]) == 0
    assert [path.name for path in Path("out").iterdir()] == ["there"]

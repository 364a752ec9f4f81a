"""A job under another workflow's names and prefix is what it is where the workflow runs alone."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles

from tuneatlas.engine.placing import place


def job(prefix: str) -> SimpleNamespace:
    inputs = InputFiles(fromdict={"one": f"{prefix}results/a", "chat": "/home/x/chat.yaml"})
    inputs.append("own/facts.tsv")
    return SimpleNamespace(
        config={"prefix": prefix},
        rule="theirs_finetune",
        input=inputs,
        output=OutputFiles(fromdict={"model": f"{prefix}results/b/m"}),
        log=Log([f"{prefix}logs/b/m.log"]),
    )


@pytest.mark.parametrize("prefix", ["atlas/", "a/b/", "/ABSOLUTE/"])
def test_files_are_named_from_the_prefix(tmp_path: Path, monkeypatch, prefix: str):
    monkeypatch.chdir(tmp_path)
    prefix = prefix.replace("/ABSOLUTE", str(tmp_path / "elsewhere"))
    Path(prefix).mkdir(parents=True)
    this = job(prefix)
    place(this)
    assert Path.cwd() == (tmp_path / prefix)
    assert this.input.one == "results/a" and this.input.chat == "/home/x/chat.yaml"
    assert (Path.cwd() / this.input[2]).resolve() == tmp_path / "own/facts.tsv"
    assert (this.output.model, str(this.log)) == ("results/b/m", "logs/b/m.log")


def test_a_step_bears_the_name_of_its_script(tmp_path: Path, monkeypatch):
    """The engine runs a copy, whose own name is none."""
    monkeypatch.chdir(tmp_path)
    this = job("")
    place(this)
    assert this.rule == "theirs_finetune" and Path.cwd() == tmp_path
    main = SimpleNamespace(__real_file__="/tmp/x.finetune.py", __file__="/p/scripts/finetune.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    place(this)
    assert this.rule == "finetune"

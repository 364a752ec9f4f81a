"""A diagnosis in a few words becomes a config that loads, or one message."""

import json
import shutil

import pytest

from tests.examples import ROOT, question
from tuneatlas.cli import main
from tuneatlas.config.diagnosing import Asked, diagnosis
from tuneatlas.config.load import load_config
from tuneatlas.errors import UserError

COMMIT = "0123456789" * 4


def made(tmp_path, *words):
    """The experiment of ``tuneatlas diagnose``."""
    file = tmp_path / "diagnosed.yaml"
    assert main(["diagnose", *map(str, words), "--output", str(file), "--root", str(ROOT)]) == 0
    return load_config(file, root=ROOT)


def test_a_folder_with_steps_beside_a_model_of_a_package(tmp_path):
    for step in (10, 9, 100):
        (tmp_path / f"run/checkpoint-{step}/model").mkdir(parents=True)
    pattern = tmp_path / "run/checkpoint-{step}/model"
    found = made(tmp_path, "--base", ROOT / "config/smollm2.yaml", "--tuned", pattern)
    assert list(found.models) == ["smollm2"] and found.restores
    (entry,) = found.checkpoints.values()
    assert (entry.base, entry.path, entry.steps) == ("smollm2", str(pattern), (9, 10, 100))
    assert found.domains["mmlu"].limits.related_test == 300


def test_own_questions_and_nothing_restored(tmp_path, base):
    shutil.copytree(base, tmp_path / "Tuned Model.2")
    rows = [{k: question(n)[k] for k in ("question", "choices", "answer")} for n in range(9)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--base", base, "--tuned", tmp_path / "Tuned Model.2", "--questions", path)
    found = made(tmp_path, *words, "--text", "none", "--adapter", f"a/lora@{COMMIT}")
    assert list(found.domains) == ["questions"] and not found.restores
    assert found.domains["questions"].split.test == 6
    assert found.models["base"].bos is False
    assert list(found.checkpoints) == ["tuned-model-2", "lora"]
    assert found.checkpoints["tuned-model-2"].chat_template is None


def test_what_bears_a_name_of_the_included_file_takes_nothing_of_it(tmp_path):
    for name in ("smollm2", "tuned"):
        (tmp_path / name).mkdir()
    words = ("--base", f"a/smollm2@{COMMIT}", "--adapter", tmp_path / "tuned")
    found = made(tmp_path, *words)
    assert found.models["smollm2"].source == "hub"
    assert found.checkpoints["tuned"].path == str(tmp_path / "tuned")
    assert found.checkpoints["tuned"].chat_template is None


def test_models_of_one_last_name_are_diagnosed_each_in_a_folder_of_its_own(
    tmp_path, monkeypatch, base
):
    for run in ("one", "two"):
        (tmp_path / run / "final").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def name(*words):
        return diagnosis(Asked(str(base), *words), ROOT)["name"]

    one = name(("one/final",))
    assert one.startswith("diagnose-final-")
    # However it is spelt, and whatever it is asked.
    again = diagnosis(Asked(str(base), (f"{tmp_path}/one/final/",), whole=True), ROOT)["name"]
    assert one == again
    others = [name(("two/final",)), name((), ("one/final",)), name(("one/final", "two/final"))]
    commits = [name((f"a/final@{commit * 40}",)) for commit in "12"]
    assert len({one, others[0], others[2], *commits}) == 5


def test_all_questions_and_own_text(tmp_path, base):
    (tmp_path / "text.txt").write_text("A line.\n")
    words = ("--base", base, "--tuned", base, "--all", "--text", tmp_path / "text.txt")
    found = made(tmp_path, *words)
    assert found.domains["mmlu"].limits.related_test is None
    assert found.prepare_restoration.corpus == str(tmp_path / "text.txt")


def test_the_atlas_is_of_all_that_was_tuned(tmp_path, base):
    words = ("--base", base, "--tuned", base, "--adapter", f"a/b@{COMMIT}")
    assert not made(tmp_path, *words).maps
    found = made(tmp_path, *words, "--atlas")
    assert found.maps and list(found.atlas.checkpoints) == [*found.checkpoints]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"base": f"a/b@{COMMIT}"}, "TUNED, ADAPTER: neither is named"),
        ({"base": "nothing", "tuned": ("x",)}, "there is no folder nothing"),
        ({"base": "a/b", "tuned": ("x",)}, "name the commit, as a/b@COMMIT"),
        ({"base": f"a/b@{COMMIT}", "tuned": ("c-{step}",)}, "no folder with a number in place of"),
        ({"base": f"a/b@{COMMIT}", "tuned": (f"a/c@{COMMIT}",), "text": "no.txt"}, "TEXT: there"),
        (
            {"base": f"a/b@{COMMIT}", "tuned": (f"a/c@{COMMIT}",), "questions": "no.csv"},
            "QUESTIONS: there is no file no.csv",
        ),
    ],
)
def test_each_mistake_is_one_message(words, said):
    with pytest.raises(UserError, match=said) as caught:
        diagnosis(Asked(**words), ROOT)
    assert len(str(caught.value).splitlines()) == 1

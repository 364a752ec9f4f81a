"""One entry stands for models of several pre-training seeds; each mistake in it is told once."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD, complaints, dump
from tuneatlas.config.load import load_config, load_mapping, resolve
from tuneatlas.config.replicates import members

SCRATCH = "    source: scratch\n"
COMMITS = "{" + ", ".join(f"{seed}: {'0123456789abcdef0123' * 2}" for seed in (1, 3)) + "}"


def replaced(lines: str, *, heads: bool = False) -> str:
    """GOOD with other lines for its model's source, and without its heads if ``heads`` is false."""
    text = GOOD.replace(SCRATCH, lines)
    return (
        text
        if heads
        else text.replace("    heads: 6\n    hidden_size: 192\n", "").replace(
            "    max_length: 2048\n", ""
        )
    )


def read(folder: Path, text: str):
    path = folder / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, root=ROOT)


def test_a_model_made_here_becomes_one_for_each_seed(tmp_path: Path):
    found = read(tmp_path, replaced(f"{SCRATCH}    replicates: [2, 0]\n", heads=True))
    assert list(found.models) == ["small-2", "small-0"]
    assert found.compared_models == {"small": ["small-0", "small-2"]}
    one, other = (model.model_dump() for model in found.models.values())
    assert {k for k in one if one[k] != other[k]} == {"replicates"}
    assert one["family"] == "small"


def test_one_replicate_alone_has_the_name_it_keeps_beside_others(tmp_path: Path):
    found = read(tmp_path, replaced(f"{SCRATCH}    replicates: [3]\n", heads=True))
    assert found.compared_models == {"small": ["small-3"]}


def test_the_seed_stands_in_path_id_and_commit(tmp_path: Path):
    found = read(
        tmp_path,
        replaced("    source: path\n    path: models/t-{replicate}\n    replicates: [0, 7]\n"),
    )
    assert [model.path for model in found.models.values()] == ["models/t-0", "models/t-7"]
    found = read(
        tmp_path,
        replaced(
            "    source: hub\n    id: EleutherAI/pythia-14m-seed{replicate}\n"
            f"    replicates: [1, 3]\n    revision: {COMMITS}\n"
        ),
    )
    assert [model.id[-5:] for model in found.models.values()] == ["seed1", "seed3"]


def test_what_was_resolved_reads_as_it_is(tmp_path: Path):
    """Members of a family are models: they are not replicated again."""
    found = resolve(read(tmp_path, replaced(f"{SCRATCH}    replicates: [0, 1]\n", heads=True)))
    again = resolve(load_mapping(found, "resolved", ROOT))
    assert again == found
    assert members(found["models"]) == {"small": ["small-0", "small-1"]}


def test_a_model_without_replicates_is_compared_alone():
    found = load_config(ROOT / "config/smoke.yaml", root=ROOT)
    assert found.compared_models == {"mini": ["mini"]}


PATH = "    source: path\n    path: models/{}\n    replicates: {}\n"
HUB = "    source: hub\n    id: a/b-{{replicate}}\n    replicates: [1, 2]\n    revision: {}\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            f"{SCRATCH}    replicates: []\n",
            "bad.yaml:5: models.small.replicates: names no pre-training seed: list some, or leave "
            "the key out for one model",
        ),
        (
            f"{SCRATCH}    replicates: [1, 0, 1]\n",
            "bad.yaml:5: models.small.replicates: 1 is listed 2 times; each is one model",
        ),
        (
            f"{SCRATCH}    replicates: 3\n",
            "bad.yaml:5: models.small.replicates: should be a list of pre-training seeds, such as "
            "[0, 1, 2], not 3",
        ),
        (
            f"{SCRATCH}    replicates: [true, -1]\n",
            "bad.yaml:5: models.small.replicates: should be a list of pre-training seeds, such as "
            "[0, 1, 2], not [True, -1]",
        ),
        (
            PATH.format("tiny", "[0, 1]"),
            "bad.yaml:5: models.small.path: 'models/tiny' holds no {replicate}: all replicates "
            "would be the same weights",
        ),
        (
            PATH.format("tiny-{replicate}", "null"),
            "bad.yaml:5: models.small.path: {replicate} stands for a pre-training seed: list them "
            "under replicates",
        ),
        (
            HUB.format("0123456789abcdef0123" * 2),
            "bad.yaml:7: models.small.revision: no commit for replicate 1: name one for each, such "
            "as {0: …, 1: …}",
        ),
        (
            HUB.format(COMMITS),
            "bad.yaml:7: models.small.revision: no commit for replicate 2: name one for each, such "
            "as {0: …, 1: …}",
        ),
    ],
)
def test_mistakes_are_told_once_under_the_key_that_was_written(
    tmp_path: Path, lines: str, said: str
):
    heads = "scratch" in lines
    assert complaints(tmp_path, replaced(lines, heads=heads))[:1] == [said]
    if "COMMITS" not in lines and "0123" not in lines:
        assert len(complaints(tmp_path, replaced(lines, heads=heads))) == 1


def test_a_package_has_no_replicates(tmp_path: Path):
    smollm2 = (ROOT / "config/smollm2.yaml").read_text(encoding="utf-8")
    text = smollm2.replace(
        "    source: package\n", "    source: package\n    replicates: [0, 1]\n", 1
    )
    [said] = complaints(tmp_path, text)
    assert "models.smollm2.replicates: a package holds one model" in said


def test_what_is_wrong_with_all_replicates_is_told_once(tmp_path: Path):
    text = replaced(f"{SCRATCH}    replicates: [0, 1, 2]\n", heads=True)
    assert complaints(tmp_path, text.replace("heads: 6", "heads: 7")) != []
    [said] = complaints(tmp_path, text.replace("heads: 6", "haeds: 6"))
    assert said == "bad.yaml:6: models.small.haeds: unknown key; did you mean 'heads'?"


def test_a_name_that_a_replicate_would_have_is_free(tmp_path: Path):
    other = "  small-1: {source: scratch}\n"
    text = replaced(f"{SCRATCH}    replicates: [0, 1]\n", heads=True)
    [said] = complaints(tmp_path, text.replace("domains:\n", f"{other}domains:\n"))
    assert "replicate 1 would be called small-1, as another model is: rename one" in said


MEMBER = "  {}: {{source: path, path: {}, family: all, replicates: {}}}\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            MEMBER.format("a", "x", "[0]") + MEMBER.format("b", "y", "[0]"),
            "models.b.replicates: 0 is a already, of the same family",
        ),
        (
            MEMBER.format("a", "x", "[0, 1]"),
            "models.a.replicates: is of family all: name the one pre-training seed that it is of",
        ),
        (
            MEMBER.format("a", "x", "[0]")
            + MEMBER.format("b", "y", "[1]").replace("}", ", bos: false}"),
            "models.b.bos: is another than a's, of the same family (all): replicates differ by "
            "seed alone",
        ),
        (
            MEMBER.format("a", "x", "[0]") + "  all: {source: path, path: z}\n",
            "models.a.family: 'all' is a model of its own: give the family another name",
        ),
    ],
)
def test_members_may_be_named_one_by_one(tmp_path: Path, lines: str, said: str):
    start = "name: good\nmodels:\n"
    rest = "domains:" + GOOD.partition("domains:")[2]
    assert any(said in line for line in complaints(tmp_path, start + lines + rest))
    good = MEMBER.format("a", "x", "[4]") + MEMBER.format("b", "y", "[1]")
    assert read(tmp_path, start + good + rest).compared_models == {"all": ["b", "a"]}


def test_dumped_replicates_are_read(tmp_path: Path):
    """Data that another workflow gives, without lines."""
    data = {
        "finetune": {"row_length": 512},
        "models": {"m": {"source": "scratch", "replicates": [0, 1]}},
        "domains": {
            "countries": {"source": "facts", "tune": True},
            "elements": {"source": "facts"},
        },
    }
    assert list(load_mapping(data, "given", ROOT).models) == ["m-0", "m-1"]
    assert list(load_config(dump(tmp_path / "m.yaml", data), root=ROOT).models) == ["m-0", "m-1"]


def test_a_key_that_fits_no_replicate_is_told_once_too(tmp_path: Path):
    text = replaced(f"{SCRATCH}    replicates: [0, 10, 1]\n", heads=True)
    [said] = complaints(tmp_path, text.replace("row_length: 512", "row_length: 4096"))
    assert said.endswith("row_length: 4096 is more than models.small.max_length 2048")

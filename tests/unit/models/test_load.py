"""A model's weights are its own to the last name and shape, or the folder is refused."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.examples import TINY
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama, new_t5
from tuneatlas.models.compatibility import refuse_unfit
from tuneatlas.models.folder import fetched_folder, folder_problems, stored_dtype, tensors
from tuneatlas.models.load import (
    embedding_rows,
    load_model,
    open_network,
    open_tokenizer,
    pad_id,
    vocabulary_problems,
    weight_problems,
)
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.pretraining.vocabulary import add_structure_tokens

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PROJECTION = "model.layers.1.mlp.up_proj.weight"
Weights = dict[str, torch.Tensor]


@pytest.fixture
def folder(tmp_path: Path, tokenizer) -> Path:
    """A Llama whose output matrix is its own."""
    model = new_llama(tokenizer, TINY | {"tie_embeddings": False}, seed=1)
    save_model(tmp_path / "given", model, tokenizer)
    return tmp_path / "given"


def rewrite(folder: Path, change: Callable[[Weights], Weights]) -> None:
    weights = change(load_file(folder / WEIGHTS))
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / WEIGHTS, {"format": "pt"})


def say(folder: Path, name: str = "config.json", **values: object) -> None:
    path = folder / name
    said = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(said | values))


def refusals(folder: Path) -> list[str]:
    return folder_problems(folder) or list(weight_problems(folder, two=False))


def test_a_whole_model_passes(folder: Path):
    assert refusals(folder) == []
    assert stored_dtype(folder) == "float32"


CHANGES = {
    "a layer lacks a matrix": (
        lambda w: {k: v for k, v in w.items() if k != PROJECTION},
        f"{PROJECTION} is missing among its weights",
    ),
    "no head": (
        lambda w: {k: v for k, v in w.items() if "lm_head" not in k},
        "lm_head.weight is missing among its weights",
    ),
    "a wrapper's prefix": (
        lambda w: {f"module.{k}": v for k, v in w.items()},
        "module.lm_head.weight, module.model.embed_tokens.weight",
    ),
    "an adapter's prefix": (
        lambda w: {f"base_model.model.{k}": v for k, v in w.items()},
        "are missing among its weights; base_model.model.lm_head.weight",
    ),
    "another head": (
        lambda w: w | {"v_head.summary.weight": torch.ones(1, 32)},
        "v_head.summary.weight is stored, but no part of a model of its config",
    ),
    "another shape": (
        lambda w: w | {"model.norm.weight": torch.ones(8)},
        "model.norm.weight is stored as (8,), its config says (32,)",
    ),
    "fewer rows": (
        lambda w: w | {"model.embed_tokens.weight": w["model.embed_tokens.weight"][:-8]},
        "model.embed_tokens.weight is stored as (392, 32), its config says (400, 32)",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_another_name_or_shape_are_named(folder: Path, kind: str):
    change, expected = CHANGES[kind]
    rewrite(folder, change)
    (found,) = refusals(folder)
    assert expected in found
    with pytest.raises(UserError, match="is not the model that it says it is"):
        load_model(folder)


@pytest.mark.parametrize("seed", range(12))
def test_whichever_weight_is_left_out_or_cut_is_named(folder: Path, seed: int):
    """The kind: any tensor, missing, renamed or of another shape."""
    rng = random.Random(seed)
    name = rng.choice(sorted(tensors(folder)))

    def changed(weights: Weights) -> Weights:
        value = weights.pop(name)
        also = [{}, {f"{name}x": value}, {name: value[:-1]}][seed % 3]
        return weights | also

    rewrite(folder, changed)
    (found,) = refusals(folder)
    assert name in found


CONFIGS = {
    "more layers": ({"num_hidden_layers": 3}, "model.layers.2.input_layernorm.weight"),
    "fewer layers": ({"num_hidden_layers": 1}, "model.layers.1.input_layernorm.weight"),
    "a million layers": ({"num_hidden_layers": 10**6}, "says num_hidden_layers 1000000"),
    "a huge vocabulary": ({"vocab_size": 10**9}, "says vocab_size 1000000000"),
    "no heads": ({"num_attention_heads": 0}, "does not describe a model"),
    "an odd format": ({"dtype": "float17"}, "does not describe a model"),
    "no such rope": ({"rope_parameters": {"rope_type": "none"}}, "cannot be opened as a model"),
    "another family": ({"model_type": "gpt2"}, "is not the model that it says it is"),
    "an unknown family": ({"model_type": "mine"}, "does not describe a model"),
    "an encoder-decoder": ({"model_type": "t5"}, "is an encoder-decoder (t5)"),
    "code of its own": ({"auto_map": {"AutoConfig": "evil.Config"}}, "config.json needs code"),
    "weights elsewhere": ({"transformers_weights": "x.safetensors"}, "says transformers_weights"),
    "tied, but a head stored": ({"tie_word_embeddings": True}, "with different values"),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_of_another_model_is_refused(folder: Path, kind: str):
    values, expected = CONFIGS[kind]
    say(folder, **values)
    (found,) = refusals(folder)
    assert expected in found


def test_a_tied_model_without_a_head_passes(tmp_path: Path, model, tokenizer):
    save_model(tmp_path, model, tokenizer)
    assert "lm_head.weight" not in tensors(tmp_path)
    assert refusals(tmp_path) == []
    # Stored once more, it is the same model.
    rewrite(tmp_path, lambda w: w | {"lm_head.weight": w["model.embed_tokens.weight"].clone()})
    assert refusals(tmp_path) == []


def test_the_weights_are_taken_as_stored_whatever_the_config_says(folder: Path):
    say(folder, dtype="bfloat16")
    assert stored_dtype(folder) == "float32"
    network = open_network(folder, dtype=stored_dtype(folder))
    weights = load_file(folder / WEIGHTS)
    assert all(torch.equal(weights[n], p) for n, p in network.state_dict().items())


def broken(folder: Path, kind: str) -> None:
    weights = folder / WEIGHTS
    data = weights.read_bytes()
    weights.unlink()
    if kind == "link":
        weights.symlink_to("../../blobs/none")
    elif kind == "loop":
        weights.symlink_to("other.safetensors")
        (folder / "other.safetensors").symlink_to(WEIGHTS)
    elif kind == "folder":
        weights.mkdir()
    elif kind == "pipe":
        os.mkfifo(weights)
    elif kind == "pickle":
        torch.save({}, folder / "pytorch_model.bin")
        (folder / "x.safetensors").write_bytes(data)


@pytest.mark.parametrize("kind", ["link", "loop", "folder", "pipe", "pickle"])
def test_weights_that_are_no_file_end_in_a_message(folder: Path, kind: str):
    broken(folder, kind)
    (found,) = folder_problems(folder)
    assert WEIGHTS in found


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "generation_config.json", "tokenizer.json"]
)
@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"a": "\xe9"}', "pipe", "{"])
def test_files_that_are_no_json_object_end_in_a_message(folder: Path, name: str, content: str):
    path = folder / name
    path.unlink(missing_ok=True)
    if content == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(content.encode("latin-1"))
    found = refusals(folder)
    assert found and all(str(folder) in text for text in found)


def test_a_tokenizer_on_which_its_library_panics_ends_in_a_message(folder: Path):
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["model"]["continuing_subword_prefix"] = "longer than any token"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert refusals(folder) and all(str(path) in text for text in refusals(folder))


def test_random_damage_is_refused_or_harmless(folder: Path):
    """Bytes of the header or of the JSON files changed at random: no traceback, no other model."""
    rng = random.Random(7)
    sound = {p.name: p.read_bytes() for p in folder.iterdir()}
    whole = load_model(folder)[0].state_dict()
    length = 8 + int.from_bytes(sound[WEIGHTS][:8], "little")
    refused = 0
    for _ in range(150):
        name = rng.choice([WEIGHTS, WEIGHTS, "config.json", "tokenizer_config.json"])
        data = bytearray(sound[name])
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(min(len(data), length))] = rng.randrange(256)
        (folder / name).write_bytes(data)
        if refusals(folder):
            refused += 1
        elif name == WEIGHTS:
            found = load_model(folder)[0].state_dict()
            assert all(torch.equal(value, whole[key]) for key, value in found.items())
        (folder / name).write_bytes(sound[name])
    assert refused > 50


def sharded(folder: Path, *, double: bool = False, more: dict | None = None) -> None:
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    (folder / WEIGHTS).unlink()
    parts = {"a.safetensors": names[:7], "b.safetensors": names[7:]}
    index = {name: file for file, own in parts.items() for name in own}
    if double:
        parts["b.safetensors"].append(names[0])
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, folder / file, {"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index | (more or {})}))


def test_an_index_is_of_the_files_beside_it(folder: Path):
    whole = (folder / WEIGHTS).read_bytes()
    sharded(folder)
    assert refusals(folder) == []
    for more, expected in [
        ({"x": "../outside.safetensors"}, "names '../outside.safetensors'"),
        ({"x": "/tmp/outside.safetensors"}, "names '/tmp/outside.safetensors'"),
        ({"x": 5}, "names '5'"),
        ({"x": "a.safetensors"}, "says that a.safetensors holds x"),
        ({"x": "c.safetensors"}, "lacks c.safetensors"),
    ]:
        (folder / WEIGHTS).write_bytes(whole)
        sharded(folder, more=more)
        (found,) = folder_problems(folder)
        assert expected in found
    (folder / WEIGHTS).write_bytes(whole)
    sharded(folder, double=True)
    (found,) = folder_problems(folder)
    assert "stands in a.safetensors and in b.safetensors" in found
    (folder / WEIGHTS).write_bytes(whole)
    (found,) = folder_problems(folder)
    assert "has weights twice" in found


def test_an_adapter_beside_the_weights_is_refused(folder: Path):
    (folder / "adapter_config.json").write_text("{}")
    (found,) = folder_problems(folder)
    assert "has an adapter_config.json" in found
    with pytest.raises(UserError, match="adapter_config"):
        load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(folder: Path, value: float):
    def spoilt(weights: Weights) -> Weights:
        weights[PROJECTION][1, 1] = value
        return weights

    rewrite(folder, spoilt)
    with pytest.raises(UserError, match=rf"{PROJECTION} is not finite"):
        refuse_unfit(*load_model(folder))


def test_a_folder_of_the_same_name_is_not_taken_for_the_hubs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """transformers opens a local folder first; the record would have named the hub's commit."""
    commit, cache = "a" * 40, tmp_path / "cache"
    at = cache / "models--owner--name/snapshots" / commit
    shutil.copytree(folder, at)
    shutil.copytree(folder, tmp_path / "owner/name")
    rewrite(tmp_path / "owner/name", lambda w: {k: v * 2 for k, v in w.items()})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = fetched_folder("owner/name", commit)
    assert found == at
    with pytest.raises(UserError, match="cannot be fetched"):
        fetched_folder("owner/none", commit)
    (at / WEIGHTS).rename(at / "pytorch_model.bin")
    (text,) = folder_problems(found)
    assert "weights in .bin files are not read" in text


def test_tokens_without_an_embedding(tokenizer):
    """Padding is never seen, and a token for images is in no text."""
    rows = len(tokenizer)
    assert list(vocabulary_problems(tokenizer, rows + 37)) == []
    (text,) = vocabulary_problems(tokenizer, rows // 2)
    assert f"has {rows} tokens, the embedding {rows // 2} rows" in text
    padded = changed(tokenizer, {"pad_token": "[PAD]"})
    assert list(vocabulary_problems(padded, rows)) == []
    assert pad_id(padded, rows) == tokenizer.eos_token_id
    assert pad_id(padded, rows + 1) == rows
    images = changed(tokenizer, {"additional_special_tokens": ["<image>"]})
    assert list(vocabulary_problems(images, rows)) == []
    images.chat_template = "{{ '<image>' }}"
    assert len(list(vocabulary_problems(images, rows))) == 1
    ended = changed(tokenizer, {"eos_token": "<|im_end|>"})
    assert len(list(vocabulary_problems(ended, rows))) == 1


def changed(tokenizer, special: dict):
    from copy import deepcopy

    copy = deepcopy(tokenizer)
    copy.add_special_tokens(special)
    return copy


def test_a_tokenizer_without_places_of_tokens_is_refused(folder: Path):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"\n\x10\n\x05<unk>")
    with pytest.raises(UserError, match=r"the tokenizer in .* sentencepiece"):
        open_tokenizer(folder)
    (folder / "tokenizer.model").unlink()
    letters = [f"{c}{e}" for c in "abcdefgh" for e in ("", "@@", "</w>")]
    vocabulary = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    named = {"tokenizer_class": "CTRLTokenizer", "unk_token": "<unk>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    with pytest.raises(UserError, match="a fast tokenizer is needed"):
        open_tokenizer(folder)


T5_SHAPE = {"hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2, "dropout": 0.0}


def untied_t5(folder: Path, tokenizer) -> torch.Tensor:
    """A T5 with a head of its own, as flan-t5 and T5 1.1 have; the head."""
    model = new_t5(tokenizer, T5_SHAPE, seed=2)
    save_model(folder, model, tokenizer)
    head = torch.randn(len(tokenizer), 16, generator=torch.Generator().manual_seed(1))
    rewrite(folder, lambda w: w | {"lm_head.weight": head})
    said = json.loads((folder / "config.json").read_text())
    said.pop("scale_decoder_outputs", None)  # which such folders of transformers 4 do not say
    (folder / "config.json").write_text(json.dumps(said | {"tie_word_embeddings": False}))
    return head


def test_a_t5_keeps_its_own_head_when_tokens_are_added(tmp_path: Path, tokenizer):
    """Resizing the embeddings tied it to them again, without a word."""
    from copy import deepcopy

    head = untied_t5(tmp_path / "given", tokenizer)
    assert list(weight_problems(tmp_path / "given", two=True)) == []
    model, _ = load_model(tmp_path / "given")
    more = deepcopy(tokenizer)
    add_structure_tokens(model, more)
    assert embedding_rows(model) == len(more) > len(tokenizer)
    save_model(tmp_path / "more", model, more)
    again, _ = load_model(tmp_path / "more")
    for one in (model, again):
        assert torch.equal(one.get_output_embeddings().weight[: len(tokenizer)], head)
        assert not one.config.scale_decoder_outputs
    said = json.loads((tmp_path / "more/config.json").read_text())
    assert said["tie_word_embeddings"] is False


def test_a_t5_whose_config_contradicts_its_head(tmp_path: Path, tokenizer):
    untied_t5(tmp_path, tokenizer)
    say(tmp_path, tie_word_embeddings=True)
    (found,) = weight_problems(tmp_path, two=True)
    assert "stores lm_head.weight and shared.weight with different values" in found
    say(tmp_path, tie_word_embeddings=False)
    rewrite(tmp_path, lambda w: {k: v for k, v in w.items() if k != "lm_head.weight"})
    (found,) = weight_problems(tmp_path, two=True)
    assert "lacks lm_head.weight" in found
    (found,) = weight_problems(tmp_path, two=False)
    assert "paraphrasers are, models are not" in found


@pytest.mark.parametrize("form", [torch.float8_e4m3fn, torch.int8, None])
@pytest.mark.parametrize("two", [True, False])
def test_numbers_that_stand_for_others_are_refused(tmp_path: Path, tokenizer, model, form, two):
    """In a format of eight bits, or said to be quantised; a mask of whole numbers is none."""
    save_model(tmp_path, new_t5(tokenizer, T5_SHAPE, seed=2) if two else model, tokenizer)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    name = next(n for n in weights if n.endswith("weight") and weights[n].ndim == 2)
    if form:
        weights[name] = weights[name].to(form)
        save_file(weights, path, metadata={"format": "pt"})
    else:
        said = json.loads((tmp_path / "config.json").read_text())
        said["quantization_config"] = {"quant_method": "fp8"}
        (tmp_path / "config.json").write_text(json.dumps(said))
    (found,) = weight_problems(tmp_path, two=two)
    assert "holds quantised weights" in found


def test_a_decoder_of_which_it_is_not_said_how_it_begins(tmp_path: Path, tokenizer):
    save_model(tmp_path, new_t5(tokenizer, T5_SHAPE, seed=2), tokenizer)
    path = tmp_path / "config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in said.items() if k != "decoder_start_token_id"}))
    (found,) = weight_problems(tmp_path, two=True)
    assert "config.json lacks decoder_start_token_id" in found


def test_a_t5_that_lacks_a_weight(tmp_path: Path, tokenizer):
    save_model(tmp_path, new_t5(tokenizer, T5_SHAPE, seed=2), tokenizer)
    name = "decoder.block.0.layer.0.SelfAttention.q.weight"
    rewrite(tmp_path, lambda w: {k: v for k, v in w.items() if k != name})
    (found,) = weight_problems(tmp_path, two=True)
    assert f"{name} is missing" in found

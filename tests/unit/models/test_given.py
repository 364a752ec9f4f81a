"""Checkpoints tuned elsewhere: brought as they are, merged exactly, or refused in one message."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from tuneatlas.engine.files import sha256_tree
from tuneatlas.errors import UserError
from tuneatlas.models.given import bring_checkpoint
from tuneatlas.models.load import load_model

IDS = torch.tensor([[5, 9, 33, 61, 7, 20]])


def logits(folder):
    with torch.inference_mode():
        return load_model(folder, place=False)[0](IDS).logits


def tuned_copy(base, folder):
    """The base with other weights, as a trainer saves it."""
    shutil.copytree(base, folder)
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.mul_(1.5)
    model.save_pretrained(folder)
    return folder


def test_a_folder_is_brought_as_it_is_and_only_read(tmp_path, base):
    given = tuned_copy(base, tmp_path / "given")
    before = sha256_tree(given)
    info = bring_checkpoint(given, base, tmp_path / "brought")
    assert sha256_tree(given) == before and info["notes"] == []
    assert torch.equal(logits(tmp_path / "brought"), logits(given))
    assert not torch.equal(logits(given), logits(base))


def test_a_missing_tokenizer_is_the_base_models(tmp_path, base):
    given = tuned_copy(base, tmp_path / "given")
    for path in given.glob("tokenizer*"):
        path.unlink()
    bring_checkpoint(given, base, tmp_path / "brought")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "brought" / name).read_bytes() == (base / name).read_bytes()


@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_is_merged_to_pefts_own_logits(tmp_path, base, dora):
    options = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_dora=dora)
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), options).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in tuned.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.3)
        wanted = tuned(IDS).logits
    tuned.save_pretrained(tmp_path / "adapter")
    info = bring_checkpoint(tmp_path / "adapter", base, tmp_path / "brought")
    found = logits(tmp_path / "brought")
    assert (found - wanted).abs().max() < 1e-5 < (logits(base) - wanted).abs().max()
    assert "an adapter" in info["notes"][-1]


def test_added_tokens_and_a_resized_embedding_are_told(tmp_path, base):
    model, tokenizer = load_model(base, place=False)
    tokenizer.add_tokens(["<think>"])
    model.resize_token_embeddings(len(tokenizer) + 7)
    model.save_pretrained(tmp_path / "given")
    tokenizer.save_pretrained(tmp_path / "given")
    notes = bring_checkpoint(tmp_path / "given", base, tmp_path / "brought")["notes"]
    assert "1 added tokens, such as '<think>'" in notes[0] and "rows" in notes[1]


def one_token_differs(given):
    path = given / "tokenizer.json"
    said = json.loads(path.read_text())
    vocabulary = said["model"]["vocab"]
    a, b = sorted(vocabulary)[-2:]
    vocabulary[a], vocabulary[b] = vocabulary[b], vocabulary[a]
    path.write_text(json.dumps(said))


def another_normaliser(given):
    path = given / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": {"type": "NFKC"}}))


def other_heads(given):
    path = given / "config.json"
    said = json.loads(path.read_text())
    said |= {"num_attention_heads": said["num_attention_heads"] * 2}
    path.write_text(json.dumps(said))


def in_deepspeed_parts(given):
    (given / "model.safetensors").unlink()
    (given / "zero_to_fp32.py").touch()


def in_fsdp_parts(given):
    (given / "model.safetensors").unlink()
    (given / "pytorch_model_fsdp_0").mkdir()
    (given / "pytorch_model_fsdp_0/__0_0.distcp").touch()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (one_token_differs, "its tokenizer is not its base's: 2 tokens differ"),
        (another_normaliser, r"cuts texts otherwise than its base's \(normalizer"),
        (other_heads, "num_attention_heads"),
        (in_deepspeed_parts, "python zero_to_fp32.py"),
        (in_fsdp_parts, "accelerate merge-weights .*pytorch_model_fsdp_0"),
        (shutil.rmtree, "there is no folder"),
    ],
)
def test_what_is_not_of_its_base_is_refused(tmp_path, base, spoil, said):
    given = tuned_copy(base, tmp_path / "given")
    spoil(given)
    with pytest.raises(UserError, match=said) as caught:
        bring_checkpoint(given, base, tmp_path / "brought")
    assert len(str(caught.value).splitlines()) == 1 and not (tmp_path / "brought").exists()


def test_an_adapter_of_another_model_is_refused(tmp_path, base):
    options = LoraConfig(r=4, target_modules=["q_proj"])
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), options).save_pretrained(
        tmp_path / "adapter"
    )
    path = tmp_path / "adapter/adapter_config.json"
    path.write_text(path.read_text().replace('"r": 4', '"r": 8'))
    with pytest.raises(UserError, match="is no adapter of its base model"):
        bring_checkpoint(tmp_path / "adapter", base, tmp_path / "brought")

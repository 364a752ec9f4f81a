"""What is written opens elsewhere: its tokenizer as it was, readable, with template and card."""

import json
import os
import stat
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from tests.examples import TEMPLATES, TINY, question
from tests.unit.steps import a_step
from tuneatlas.engine.files import publish
from tuneatlas.models.build import new_llama
from tuneatlas.models.card import CARD, brought_card, jinja_template, trained_card
from tuneatlas.models.chat_templates import own_chat
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import ChatTemplate, render
from tuneatlas.models.save import CHAT_TEMPLATE, TOKENIZER_FILES, save_model
from tuneatlas.training.rounding import sample, update_kept


def test_a_tokenizer_made_here_is_of_a_class_that_transformers_4_has(tmp_path, model, tokenizer):
    save_model(tmp_path, model, tokenizer)
    said = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not isinstance(said.get("extra_special_tokens"), list)
    text = "The capital of France is Paris. 2 + 2"
    assert AutoTokenizer.from_pretrained(tmp_path).encode(text) == tokenizer.encode(text)


def test_a_tokenizer_goes_on_byte_for_byte(tmp_path, model, tokenizer):
    """Also one whose files are not as transformers 5 would write them."""
    save_model(tmp_path / "base", model, tokenizer)
    path = tmp_path / "base/tokenizer_config.json"
    said = json.loads(path.read_text()) | {"added_by": "somebody", "model_max_length": 64}
    path.write_text(json.dumps(said, indent=7))
    (tmp_path / "base/special_tokens_map.json").write_text('{"eos_token":   "</s>"}')
    opened, own = load_model(tmp_path / "base")
    own("some text", padding="max_length", max_length=8, truncation=True)
    save_model(tmp_path / "tuned", opened, own)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        assert (tmp_path / "tuned" / name).read_bytes() == (tmp_path / "base" / name).read_bytes()


def test_a_changed_tokenizer_is_written_anew(tmp_path, model, tokenizer):
    save_model(tmp_path / "base", model, tokenizer)
    opened, own = load_model(tmp_path / "base")
    own.add_tokens(["<node_0>"])
    opened.resize_token_embeddings(len(own), mean_resizing=False)
    save_model(tmp_path / "tuned", opened, own)
    assert len(load_model(tmp_path / "tuned")[1]) == len(tokenizer) + 1


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_files_are_readable_as_the_umask_says(tmp_path: Path, model, tokenizer, mask: int):
    before = os.umask(mask)
    try:
        save_model(tmp_path / "model", model, tokenizer)
        hidden = tmp_path / "hidden"
        hidden.mkdir(0o700)
        (hidden / "data").touch(0o600)
        publish(hidden, tmp_path / "shown")
    finally:
        os.umask(before)
    for path in [*(tmp_path / "model").iterdir(), tmp_path / "shown/data"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444 & ~mask, path
    assert stat.S_IMODE((tmp_path / "shown").stat().st_mode) & 0o555 == 0o555 & ~mask


def test_the_keys_of_transformers_4_stand_beside_those_of_5(tmp_path: Path, tokenizer):
    model = new_llama(tokenizer, TINY, seed=1)
    model.config.rope_parameters = {"rope_type": "default", "rope_theta": 500000.0}
    save_model(tmp_path, model, tokenizer)
    said = json.loads((tmp_path / "config.json").read_text())
    assert said["rope_theta"] == 500000.0 and said["torch_dtype"] == said["dtype"] == "float32"
    again = load_model(tmp_path)[0].config.rope_parameters
    assert again == {"rope_type": "default", "rope_theta": 500000.0}


TURNS = [
    {"role": "user", "content": "It's {so}: \\n or 'this'?\n\"Yes\" {content}"},
    {"role": "assistant", "content": "B. \N{GRINNING FACE} {% raw %}"},
    {"role": "user", "content": "{{ why }}"},
    {"role": "assistant", "content": "Because."},
]
CHATS = [
    *(ChatTemplate.load(TEMPLATES / f"chat/{n}.yaml") for n in ("vicuna", "chatml", "plain")),
    ChatTemplate(
        system="\\Sys 'x' {a}\n\n",
        user="\r\n<{{u}}> {content}\t",
        assistant_start="\n",
        assistant=" {content}{{}}",
        end="{eos}\n",
        after="\n\N{GRINNING FACE}{b}",
    ),
]


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("turns", [1, 2, 3, 4])
def test_the_template_beside_a_model_lays_out_as_it_was_tuned(tokenizer, chat, turns):
    copy = deepcopy(tokenizer)
    for bos in (False, True):
        copy.chat_template = jinja_template(chat, "</s>", bos=bos)
        text = "".join(s.text for s in render(chat, TURNS[:turns], "</s>"))
        found = copy.apply_chat_template(
            TURNS[:turns], tokenize=False, add_generation_prompt=turns % 2 == 1
        )
        assert found == (copy.bos_token if bos else "") + text


def test_the_template_can_be_taken_apart_again(tokenizer):
    copy = deepcopy(tokenizer)
    vicuna = CHATS[0]
    copy.chat_template = jinja_template(vicuna, "</s>", bos=True)
    for turns in (1, 2, 4):
        texts = [render(chat, TURNS[:turns], "</s>") for chat in (vicuna, own_chat(copy))]
        assert "".join(s.text for s in texts[0]) == "".join(s.text for s in texts[1])


def test_a_card_says_base_licence_data_and_config(tmp_path: Path):
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(question(1)))
    given, base = tmp_path / "given", tmp_path / "base"
    for folder in (given, base):
        folder.mkdir()
    (given / CARD).write_text("---\nlicense: apache-2.0\ntags: [x]\n---\nMine.\n")
    bringing = a_step(tmp_path, {}, {"model": "b"}, {"source": "path", "path": "given"})
    (base / CARD).write_text(brought_card(bringing, given))
    tuning = a_step(tmp_path, {"model": base, "conversations": data}, {"model": "t"}, {"epochs": 2})
    card = trained_card(tuning, base)
    assert 'license: "apache-2.0"' in card
    assert "- Base model: given\n" in card and "- Licence of the base model: apache-2.0\n" in card
    assert f"- Data: `{data}`, SHA-256 " in card
    assert card == trained_card(tuning, base)
    tuning.options["processes"] = 4  # where it runs is no part of what it is
    assert card == trained_card(tuning, base)
    tuning.options["epochs"] = 3
    assert card != trained_card(tuning, base)


def test_what_rounding_leaves_of_an_update(model):
    """Slow reference: all weights, one by one."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    seen = sample(model)
    assert update_kept(seen, model) == {"bfloat16": 1.0, "float16": 1.0}
    for value in model.parameters():
        value.data += 1e-4 * torch.sign(value.data)
    change = [(p - before[n]).double().flatten() for n, p in model.named_parameters()]
    rounded = [
        (p.to(torch.bfloat16).double() - before[n].double()).flatten()
        for n, p in model.named_parameters()
    ]
    whole, left = torch.cat(change), torch.cat(rounded)
    expected = float(whole @ left / (whole @ whole))
    assert update_kept(seen, model)["bfloat16"] == pytest.approx(expected, abs=0.05)


def test_a_stage_brings_its_template_and_card(tmp_path: Path, model, tokenizer):
    assert CHAT_TEMPLATE in TOKENIZER_FILES
    save_model(tmp_path, model, tokenizer, beside={CHAT_TEMPLATE: "{{ 'x' }}", CARD: "# y\n"})
    opened, own = load_model(tmp_path)
    assert own.chat_template == "{{ 'x' }}"
    save_model(tmp_path / "next", opened, own)
    assert (tmp_path / "next" / CHAT_TEMPLATE).read_text() == "{{ 'x' }}"

"""The chat template, begin token and end token of each family, as its makers publish them."""

import pytest

from tests.examples import TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.chat_templates import fit_chat, own_chat
from tuneatlas.models.encode import encode_segments
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_continuations,
    chat_prompt,
    continuations,
    render,
)

OWN = ChatTemplate.load(TEMPLATES / "chat/own.yaml")
CHATML_TURNS = (
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Template, begin token, end token of a reply, a conversation of two turns.
FAMILIES = {
    "llama2": (
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + "
        "m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}"
        "{% endif %}{% endfor %}",
        "<s>",
        " </s>",
        "[INST] Hi [/INST]| Yes. </s>|<s>[INST] Bye [/INST]| Bye. </s>|<s>",
    ),
    "llama3": (
        "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        "<|begin_of_text|>",
        "<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n|Yes.<|eot_id|>|"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n|Bye.<|eot_id|>|",
    ),
    "mistral": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + "
        "m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token + ' ' }}{% endif %}"
        "{% endfor %}",
        "<s>",
        "</s>",
        "[INST] Hi [/INST]|Yes.</s>| [INST] Bye [/INST]|Bye.</s>| ",
    ),
    "qwen": (
        "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
        + CHATML_TURNS,
        None,
        "<|im_end|>",
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>"
        "\n<|im_start|>assistant\n|Yes.<|im_end|>|\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n|Bye.<|im_end|>|\n",
    ),
    "gemma": (
        "{{ bos_token }}{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' "
        "else m['role'] %}{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + "
        "'<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<start_of_turn>model\n' }}{% endif %}",
        "<bos>",
        "<end_of_turn>",
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n|Yes.<end_of_turn>|\n"
        "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n|Bye.<end_of_turn>|\n",
    ),
}
MESSAGES = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye."},
]


def tokenizer_of(template: str | None, begin: str | None, end: str):
    tokenizer = train_tokenizer(["Hi Yes. Bye A B C D"], 300)
    tokenizer.chat_template = template
    tokenizer.bos_token = None
    tokenizer.add_special_tokens({"eos_token": end.strip()})
    if begin:
        tokenizer.add_special_tokens({"bos_token": begin})
    return tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_the_familys_own_template(family):
    """Laid out as the tokenizer does, and split at what the assistant says, its end included."""
    template, begin, end, expected = FAMILIES[family]
    tokenizer = tokenizer_of(template, begin, end)
    chat = fit_chat(OWN, tokenizer)
    segments = render(chat, MESSAGES, str(tokenizer.eos_token))
    assert "|".join(s.text for s in segments) == expected.removesuffix("|")
    whole = tokenizer.apply_chat_template(MESSAGES, tokenize=False).removeprefix(begin or "")
    # What would follow the last reply may belong to the next turn.
    assert "".join(s.text for s in segments).startswith(whole)
    ids, marks, _ = encode_segments(tokenizer, segments, bos=begin is not None)
    trained = tokenizer.decode([i for i, mark in zip(ids, marks, strict=True) if mark])
    lead = " " if family == "llama2" else ""
    assert trained == f"{lead}Yes.{end}{lead}Bye.{end}"
    assert (ids[0] == tokenizer.bos_token_id) == (begin is not None)
    assert ids.count(tokenizer.convert_tokens_to_ids(end.strip())) >= 2


@pytest.mark.parametrize("name", ["own", "vicuna", "chatml", "plain"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_scored_is_how_a_reply_begins(family, name):
    """ChatML replies begin without a space: to score one with a space asks for another text."""
    template, begin, end, _ = FAMILIES[family]
    tokenizer = tokenizer_of(template, begin, end)
    chat = fit_chat(ChatTemplate.load(TEMPLATES / f"chat/{name}.yaml"), tokenizer)
    letter = QuestionTemplate.load(TEMPLATES / "questions/letter.yaml")
    prompt = chat_prompt(chat, letter, question(5)).text
    asked = prompt + chat_continuations(chat, letter, question(5))[2].text
    said = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": "C. 8"},
    ]
    reply = render(chat, said, end)[1].text
    assert reply.startswith(asked.removeprefix(prompt))
    assert asked.endswith("C") and continuations(letter, question(5))[2] == " C"


def test_a_tokenizer_without_a_template():
    with pytest.raises(UserError, match=r"has no chat template of its own; name another"):
        own_chat(tokenizer_of(None, "<s>", "</s>"))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}",
            "drops the end token",
        ),
        ("{% for m in messages[-1:] %}{{ m['content'] + eos_token }}{% endfor %}", "every message"),
        ("{{ raise_exception('no') }}", "does not work: no"),
        ("{{ strftime_now('%d %b %Y') }}", "does not work: 'the_date_of_today' is undefined"),
        ("{{ ['a', 'b'] | random }}", "draws at random"),
        ("{{ 'a' * 40000000000 }}", "needs more than 4 GiB"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "does not end within",
        ),
        (
            "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}<think>{% endif %}",
            "no conversation in it",
        ),
        (
            "{% for m in messages %}{{ loop.index ~ m['content'] + eos_token }}{% endfor %}",
            "unlike the first",
        ),
    ],
)
def test_templates_that_cannot_be_trained_on(template, message):
    with pytest.raises(UserError, match=message):
        own_chat(tokenizer_of(template, "<s>", "</s>"))


def test_a_template_that_asks_whether_there_is_a_clock_finds_none():
    """As Llama 3.1's: else a model would be asked otherwise every day."""
    dated = (
        "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}"
        "{% else %}26 Jul 2024{% endif %}"
    )
    chat = own_chat(tokenizer_of(dated + FAMILIES["qwen"][0], None, "<|im_end|>"))
    assert chat.system.startswith("26 Jul 2024<|im_start|>system")

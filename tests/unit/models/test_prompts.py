"""Prompts are those of the papers, and join to the text that is trained on."""

import os
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.examples import TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.encode import encode_pairs, encode_segments
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_prompt,
    continuations,
    few_shot_prompt,
    render,
    reply_text,
    user_text,
)

LETTER = QuestionTemplate.load(TEMPLATES / "questions" / "letter.yaml")
CLOZE = QuestionTemplate.load(TEMPLATES / "questions" / "cloze.yaml")
# What the tokenizer's own template comes to is in test_chat_templates.
CHATS = sorted(p for p in (TEMPLATES / "chat").glob("*.yaml") if p.stem != "own")


def test_letter_prompt_is_the_papers():
    demonstration = question(1, domain="world_history")
    asked = question(5, domain="world_history")
    assert few_shot_prompt(LETTER, [demonstration], asked) == (
        "The following are multiple choice questions about world history. "
        "Please choose the correct answer.\n\n"
        "Which number follows 1?\nA. 2\nB. 3\nC. 4\nD. 5\nAnswer: A. 2\n\n"
        "Which number follows 5?\nA. 6\nB. 7\nC. 8\nD. 9\nAnswer:"
    )
    assert continuations(LETTER, asked) == [" A", " B", " C", " D"]


def test_the_subject_is_named_where_a_set_has_one():
    asked = question(5, domain="others", topic="abstract_algebra")
    named = "The following are multiple choice questions about abstract algebra. "
    assert few_shot_prompt(LETTER, [], asked).startswith(named)
    assert user_text(LETTER, asked).startswith(named)


def test_vicuna_prompt_is_fastchats():
    chat = ChatTemplate.load(TEMPLATES / "chat" / "vicuna.yaml")
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Bye"},
        {"role": "assistant", "content": "Bye."},
    ]
    text = "".join(s.text for s in render(chat, messages, "</s>"))
    assert text == (
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions. "
        "USER: Hi ASSISTANT: Hello.</s> USER: Bye ASSISTANT: Bye.</s>"
    ).replace("</s> USER", "</s> USER")


@pytest.mark.parametrize("path", CHATS, ids=lambda p: p.stem)
def test_only_the_assistants_text_and_end_token_are_trained_on(path, tokenizer):
    """200 random conversations: decoding the unmasked positions gives back each reply."""
    chat = ChatTemplate.load(path)
    rng = random.Random(5)
    alphabet = "abc deé中🙂.,:!?\n\"'{}<>|0123456789 USER ASSISTANT"
    for number in range(200):
        texts = ["".join(rng.choices(alphabet, k=rng.randint(1, 60))).strip() or "x" for _ in "12"]
        explanation = "".join(rng.choices(alphabet, k=rng.randint(0, 60)))
        asked = question(number, choices=[*texts, "c", "d"], question=texts[1])
        template = rng.choice([LETTER, CLOZE])
        replies = [reply_text(template, asked, rng.randrange(4), explanation), texts[0]]
        messages = [
            {"role": "user", "content": user_text(template, asked)},
            {"role": "assistant", "content": replies[0]},
            {"role": "user", "content": texts[1]},
            {"role": "assistant", "content": replies[1]},
        ]
        segments = render(chat, messages, tokenizer.eos_token)
        ids, marks, _ = encode_segments(tokenizer, segments, bos=number % 2 == 0)
        shown = tokenizer.decode([i for i, mark in zip(ids, marks, strict=True) if mark])
        lead = chat.assistant.split("{content}")[0]
        assert shown == "".join(lead + reply + tokenizer.eos_token for reply in replies)
        assert tokenizer.decode(ids).removeprefix(tokenizer.bos_token) == "".join(
            s.text for s in segments
        )
        assert marks.count(True) and ids[marks.index(True)] != tokenizer.eos_token_id


def test_the_lead_of_a_reply_is_what_is_trained_on():
    """Braces that stand twice in a template are text."""
    chat = ChatTemplate("", " {content}", "A:", " {{ans}} {content}!", "{eos}", "")
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]
    assert chat.lead == " {ans} "
    assert f"{chat.lead}B!" in "".join(s.text for s in render(chat, messages, "</s>"))


@pytest.mark.parametrize("path", CHATS, ids=lambda p: p.stem)
def test_evaluation_asks_as_training_asked(path):
    chat = ChatTemplate.load(path)
    asked = question(3)
    messages = [
        {"role": "user", "content": user_text(CLOZE, asked)},
        {"role": "assistant", "content": reply_text(CLOZE, asked, 0, "Because.")},
    ]
    trained = "".join(s.text for s in render(chat, messages, "</s>"))
    prompt = chat_prompt(chat, CLOZE, asked)
    lead = chat.assistant.split("{content}")[0]
    assert trained.startswith(prompt.text + lead + "4")


@given(st.text(max_size=30), st.text(min_size=1, max_size=10))
def test_pairs_join_to_the_whole(context, continuation):
    tokenizer = train_tokenizer(["a b"], 270)
    [(start, end)] = encode_pairs(tokenizer, [(context, continuation)], bos=False)
    assert tokenizer.decode(start + end) == context + continuation


def whole_encodings(tokenizer, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """The slow way; a special token's name in a text is text."""
    stripped = context.rstrip(" ")
    start, whole = (
        tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        for text in (stripped, context + continuation)
    )
    return whole[: len(start)], whole[len(start) :]


@given(st.text(max_size=80), st.lists(st.text(max_size=12), min_size=1, max_size=4))
@example("", ["<s>"])
@example("a <s> b", ["<pad>", "</s> "])
def test_texts_that_begin_alike_are_tokenised_as_alone(beginning, endings):
    """What they share is tokenised once, wherever it ends: in a word, in spaces, in digits."""
    tokenizer = train_tokenizer(["a b 12 the end"], 280)
    contexts = [3 * beginning + ending for ending in endings]
    pairs = [(context, more) for context in contexts for more in (" a", "b", " ")]
    assert encode_pairs(tokenizer, pairs, bos=False) == [
        whole_encodings(tokenizer, *pair) for pair in pairs
    ]


def test_a_tokenizer_that_marks_the_front_of_a_text_is_not_cut():
    """As Llama 2's: a cut text would begin with a mark that the whole has not there."""
    backend = Tokenizer(models.BPE(unk_token="?", fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    texts = ["".join(f"w{n} " for n in range(60)) + end for end in ("one", "two", "three")]
    backend.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=90, special_tokens=["?"]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?")
    pairs = [(text, " more") for text in texts]
    assert encode_pairs(tokenizer, pairs, bos=False) == [
        whole_encodings(tokenizer, *pair) for pair in pairs
    ]


def test_bad_templates_are_named(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("header: x\nheadr: y\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"bad.yaml.*headr"):
        QuestionTemplate.load(bad)
    with pytest.raises(UserError, match=r"nothing.yaml.*there are: bad"):
        QuestionTemplate.load(tmp_path / "nothing.yaml")
    with pytest.raises(UserError, match="neither user nor assistant"):
        render(ChatTemplate.load(CHATS[0]), [{"role": "system", "content": ""}], "")


@pytest.mark.parametrize(
    "text", [b"", b"- a", b"1: 2", b"1: x\na: y", b"? [a]\n: b", b"\xff", b"[" * 5000, None]
)
def test_what_is_no_template_is_one_message(tmp_path, text: bytes | None):
    path = tmp_path / "own.yaml"
    os.mkfifo(path) if text is None else path.write_bytes(text)
    with pytest.raises(UserError, match=r"own\.yaml: "):
        QuestionTemplate.load(path)

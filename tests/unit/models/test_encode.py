"""Text is encoded as text: no question, document or sentence holds a special token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tuneatlas.errors import UserError
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.encode import encode, encode_pairs, encode_segments
from tuneatlas.models.prompts import ChatTemplate, Segment, render
from tuneatlas.models.text_coder import TextCoder
from tuneatlas.training.seq2seq import encode_end

TEXTS = ["the cat sat on the mat, and 1 < 2 > 0 </s> <s> user assistant the end . " * 3]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]
ROLES = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """As GPT-2, Llama 3 and Qwen have; its chat tokens are added behind its vocabulary."""
    tokenizer = train_tokenizer(TEXTS, 300)
    tokenizer.add_tokens(["<tool>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return tokenizer


def finished(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **ROLES)
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return fast


def pieces_tokenizer() -> PreTrainedTokenizerFast:
    """As Llama 2 has: a mark at the front of a text, bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = [*SPECIAL[:3], *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS[0].split(), trainer)
    return finished(tokenizer)


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """As T5 has: its special tokens are pieces that any text could be cut into."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return finished(tokenizer)


def words_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, of which its special tokens are some; capitals are made small."""
    words = [*SPECIAL[:4], *sorted(set(TEXTS[0].split()) - set(SPECIAL)), *SPECIAL[4:]]
    tokenizer = Tokenizer(
        models.WordLevel({w: at for at, w in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return finished(tokenizer)


TOKENIZERS = {
    "bytes": byte_tokenizer(),
    "pieces": pieces_tokenizer(),
    "unigram": unigram_tokenizer(),
    "words": words_tokenizer(),
}
# Texts that speak of special tokens, and others.
SPOKEN = st.lists(
    st.sampled_from([*SPECIAL, "<S>", "<", "s>", "<0x41>", " ", "the cat", "é", "🙂", "\n", "1"]),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=SPOKEN)
def test_text_holds_no_special_token(kind, text):
    tokenizer = TOKENIZERS[kind]
    ids = encode(tokenizer, text, bos=False)
    assert not (set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}) & set(ids)
    if not any(name.lower() in text.lower() for name in SPECIAL):
        assert ids == tokenizer.encode(text, add_special_tokens=False)
    if kind in ("bytes", "pieces") and "<0x" not in text:
        assert tokenizer.decode(ids) == text
    assert encode(tokenizer, text, bos=True) == [tokenizer.bos_token_id, *ids]


@given(text=SPOKEN)
def test_text_is_encoded_as_by_a_tokenizer_that_splits_its_special_tokens(text):
    """Another way to the same, which is right for tokenizers of bytes."""
    tokenizer = TOKENIZERS["bytes"]
    split = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    assert encode(tokenizer, text, bos=False) == split["input_ids"]


CHAT = ChatTemplate(
    system="<|im_start|>system\nBe kind.<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_start="<|im_start|>assistant\n",
    assistant="{content}",
    end="{eos}",
    after="\n",
)


@pytest.mark.parametrize("splits", [False, True])
@given(asked=SPOKEN, said=SPOKEN)
def test_a_template_keeps_its_special_tokens_and_its_offsets(splits, asked, said):
    """Whatever the conversation is about, and whatever tokenizer_config.json says of them."""
    tokenizer = TOKENIZERS["bytes"]
    tokenizer.split_special_tokens = splits
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    segments = render(CHAT, messages * 2, tokenizer.eos_token)
    ids, marks, _ = encode_segments(tokenizer, segments, bos=True)
    start, stop = (tokenizer.convert_tokens_to_ids(f"<|im_{name}|>") for name in ("start", "end"))
    found = [i for i in ids if i in tokenizer.all_special_ids]
    end = tokenizer.eos_token_id
    turn = [start, stop, start, end]
    assert found == [tokenizer.bos_token_id, start, stop, *turn, *turn]
    shown = tokenizer.decode([i for i, mark in zip(ids, marks, strict=True) if mark])
    assert shown == 2 * f"{said}</s>"
    assert tokenizer.decode(ids[1:]) == "".join(segment.text for segment in segments)


@given(asked=SPOKEN, option=SPOKEN)
def test_a_pair_of_texts_joins_to_the_whole(asked, option):
    tokenizer = TOKENIZERS["bytes"]
    prompt = render(CHAT, [{"role": "user", "content": asked}], "")[0]
    more = Segment(f" {option}", True)
    [(before, after)] = encode_pairs(tokenizer, [(prompt, more)], bos=False)
    assert before + after == encode_segments(tokenizer, [prompt, more], bos=False).tokens
    assert before.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 3


def test_where_context_and_option_merge_all_options_are_scored_behind_the_same():
    """ "1" and "12" may be one token: behind what is common to all, not behind another each."""
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, "c": 2, "ab": 3}, [("a", "b")]))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    pairs = [("ca", "b"), ("ca", "c"), ("cc", "b")]
    assert encode_pairs(fast, pairs, bos=False) == [([2], [3]), ([2], [0, 2]), ([2, 2], [1])]


def test_sentinels_are_the_only_special_tokens_of_a_task():
    tokenizer = unigram_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<extra_id_0>"]})
    ids = encode_end(tokenizer, "the <extra_id_0> sat </s> <pad> on")
    others = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    special = [i for i in ids if i in others]
    assert special == [tokenizer.convert_tokens_to_ids("<extra_id_0>"), tokenizer.eos_token_id]


def test_what_a_tokenizers_file_says_of_lengths_changes_nothing():
    tokenizer = Tokenizer.from_str(TOKENIZERS["bytes"].backend_tokenizer.to_str())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50)
    assert TextCoder(tokenizer).encode("the cat sat") == encode(
        TOKENIZERS["bytes"], "the cat sat", bos=False
    )


def test_a_noncharacter_is_refused_where_it_could_be_taken_for_a_name():
    with pytest.raises(UserError, match=r"U\+FDD0, which is not a character, in '<s> \\ufdd0'"):
        encode(TOKENIZERS["bytes"], "<s> \ufdd0", bos=False)

"""Training of encoder-decoders against a plain loop, in batches of like length."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.recipes import RECIPE, fingerprint, planned
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.models.token_files import Example, TokenFile, write_tokens
from tuneatlas.training.packing import IGNORED
from tuneatlas.training.processes import train
from tuneatlas.training.seq2seq import (
    collate_pairs,
    deal_in_order,
    encode_end,
    encode_pairs,
    plan_like_lengths,
)

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["the cat sat on the mat"], 300)


def setting(folder, tokenizer):
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(22):
        source, target = rng.integers(3, 30, 2)
        ids = rng.integers(3, 250, source + target).tolist()
        examples.append(Example(ids, [False] * int(source) + [True] * int(target)))
    tokens = write_tokens(folder / "tokens", examples)
    steps = plan_like_lengths(tokens, epochs=3, batch=6, seed=1)
    return new_t5(tokenizer, SHAPE, seed=1), tokens, steps


@pytest.mark.parametrize(
    ("rows_per_device", "processes", "stretch"),
    [(1, 1, 1), (2, 1, 1.25), (6, 1, 1), pytest.param(1, 2, 1, marks=pytest.mark.slow)],
)
def test_losses_equal_a_plain_loop(tmp_path, tokenizer, rows_per_device, processes, stretch):
    """However a step is accumulated, loss, clipping and schedule are the textbook's.

    Left to itself the trainer multiplies T5's loss by the number of accumulated batches.
    """
    model, tokens, steps = setting(tmp_path, tokenizer)
    recipe = replace(RECIPE, rows_per_device=rows_per_device, processes=processes)
    if stretch > 1:  # the warm-up named in steps, the schedule cut off before its end
        recipe = replace(recipe, schedule_stretch=stretch, warmup_steps=3)
    model, run = planned((model, tokens, steps), tokenizer, tmp_path / "c", recipe)
    history = train(model, run)

    plain, tokens, steps = setting(tmp_path, tokenizer)
    plain.to(model.device)
    decay = [p for p in plain.parameters() if p.ndim > 1]
    rest = [p for p in plain.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.95),
    )
    warmup = 3 if stretch > 1 else int(np.ceil(0.1 * len(steps)))
    laid_out = stretch * len(steps)

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + np.cos(np.pi * (step - warmup) / (laid_out - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    assert len(history) == len(steps) == 12
    for rows, entry in zip(steps, history, strict=True):
        total, count = 0.0, 0
        for (piece,) in rows:  # one example at a time, unpadded
            ids = torch.from_numpy(tokens.tokens[piece.start :][: piece.length].astype(np.int64))
            marks = torch.from_numpy(tokens.supervised[piece.start :][: piece.length] > 0)
            source, target = ids[~marks].to(plain.device), ids[marks].to(plain.device)
            # The class's own loss: a mean over the target.
            loss = plain(input_ids=source[None], labels=target[None]).loss
            total = total + loss * len(target)
            count += len(target)
        loss = total / count
        assert float(loss) == pytest.approx(entry["loss"], rel=1e-4)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    pairs = zip(model.parameters(), plain.parameters(), strict=True)
    apart = torch.cat([(one - other).abs().flatten() for one, other in pairs])
    # Adam's first update is as large for a gradient of nothing but rounding as for any other.
    assert apart.gt(1e-4).float().mean() < 1e-3 and apart.max() < 2e-3


lengths = st.lists(st.integers(2, 40), min_size=1, max_size=80)


def token_file(sizes):
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ids = np.arange(offsets[-1], dtype=np.uint32) + 10
    marks = np.concatenate([np.arange(n) >= n // 2 for n in sizes]).astype(np.uint8)
    return TokenFile(ids, marks, offsets)


@given(lengths, st.integers(1, 3), st.integers(1, 9), st.integers(1, 5))
def test_each_epoch_sees_each_example_once(sizes, epochs, batch, count):
    tokens = token_file(sizes)
    steps = plan_like_lengths(tokens, epochs=epochs, batch=batch, seed=3)
    seen = [piece.start for rows in steps for (piece,) in rows]
    assert sorted(seen) == sorted(tokens.offsets[:-1].tolist() * epochs)
    assert all(len(rows) <= batch for rows in steps)
    for rows in steps:
        dealt = [row for part in deal_in_order(rows, count) for row in part]
        assert dealt == rows
        assert max(len(part) for part in deal_in_order(rows, count)) <= -(-len(rows) // count)


def test_batches_hold_examples_of_like_length():
    rng = np.random.default_rng(1)
    tokens = token_file(rng.integers(2, 200, 2000).tolist())
    steps = plan_like_lengths(tokens, epochs=1, batch=16, seed=3)
    filled = sum(p.length for rows in steps for (p,) in rows)
    padded = sum(max(p.length for (p,) in rows) * len(rows) for rows in steps)
    assert filled / padded > 0.95
    longest = [max(p.length for (p,) in rows) for rows in steps]
    assert longest != sorted(longest) and longest != sorted(longest, reverse=True)


@given(lengths)
@settings(max_examples=50)
def test_arrays_hold_input_and_target(sizes):
    tokens = token_file(sizes)
    rows = [row for step in plan_like_lengths(tokens, epochs=1, batch=7, seed=1) for row in step]
    arrays = collate_pairs(tokens, rows, pad=2)
    for line, (piece,) in enumerate(rows):
        half = piece.length // 2
        ids = tokens.tokens[piece.start : piece.start + piece.length].tolist()
        assert arrays["input_ids"][line, :half].tolist() == ids[:half]
        assert arrays["attention_mask"][line].sum() == half
        assert (arrays["input_ids"][line, half:] == 2).all()
        labels = arrays["labels"][line]
        assert labels[labels != IGNORED].tolist() == ids[half:]
    nothing = collate_pairs(tokens, [], pad=2)
    assert nothing["attention_mask"].tolist() == [[1]]
    assert nothing["labels"].tolist() == [[IGNORED]]


@pytest.mark.parametrize("end", [True, False])
def test_what_is_too_long_is_cut_and_told(tokenizer, end):
    pairs = [("the cat", "sat"), ("the cat " * 9, "sat"), ("the", "cat " * 19)]
    cut: list[int] = []
    found = list(encode_pairs(tokenizer, pairs, 12, cut, end=end))
    assert len(cut) == 2 and min(cut) > 12
    source = encode_end(tokenizer, "the cat")
    assert found[0].tokens == source + encode_end(tokenizer, "sat")
    assert found[0].supervised.count(False) == len(source)
    for (texts, example), side in zip(zip(pairs[1:], found[1:], strict=True), (0, 1), strict=True):
        ids = encode_end(tokenizer, texts[side])
        wanted = [*ids[:11], ids[-1]] if end else ids[:12]
        kept = [i for i, own in zip(example.tokens, example.supervised, strict=True) if own == side]
        assert kept == wanted


def test_of_each_batch_the_last_examples_are_used_and_lengths_mixed_if_asked():
    rng = np.random.default_rng(1)
    tokens = token_file(rng.integers(2, 200, 640).tolist())
    whole = plan_like_lengths(tokens, epochs=2, batch=64, seed=3)
    part = plan_like_lengths(tokens, epochs=2, batch=64, seed=3, used=4)
    assert [rows[-4:] for rows in whole] == list(part)
    mixed = plan_like_lengths(tokens, epochs=1, batch=16, seed=3, grouped=False)
    padded = sum(max(p.length for (p,) in rows) * len(rows) for rows in mixed)
    assert sum(p.length for rows in mixed for (p,) in rows) / padded < 0.7


def test_every_step_is_an_update_and_a_run_that_diverges_is_ended(tmp_path, tokenizer):
    """As with any other model: a run of one step, too, with a warm-up longer than itself."""
    model, tokens, steps = setting(tmp_path, tokenizer)
    before = fingerprint(model)
    recipe = replace(RECIPE, warmup_steps=1000, weight_decay=0.0)
    kept = {1: [tmp_path / "kept"]}
    model, run = planned((model, tokens, steps[:1]), tokenizer, tmp_path / "a", recipe, kept=kept)
    (entry,) = train(model, run)
    assert entry["loss"] > 0 and entry["learning_rate"] == recipe.learning_rate / 1001
    assert fingerprint(model) != before
    assert (tmp_path / "kept/config.json").is_file()

    recipe = replace(RECIPE, learning_rate=1e30, warmup_ratio=0.0)
    kept = {2: [tmp_path / "broken"]}
    parts = setting(tmp_path, tokenizer)
    model, run = planned(parts, tokenizer, tmp_path / "b", recipe, kept=kept, section="pretrain")
    with pytest.raises(UserError, match=r"pretrain: the loss of step 2 of 12 .*learning_rate"):
        train(model, run)
    assert not (tmp_path / "broken").exists()


def test_a_text_that_speaks_of_the_end_token_ends_once(tokenizer):
    for text in ("the cat", "the </s> cat", "</s>"):
        ids = encode_end(tokenizer, text)
        assert ids[-1] == tokenizer.eos_token_id and ids.count(tokenizer.eos_token_id) == 1

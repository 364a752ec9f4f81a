"""Rows of several documents: every token once, no document sees another."""

import tempfile
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import TINY
from tuneatlas.models.build import new_llama, train_tokenizer
from tuneatlas.models.token_files import Example, TokenFile, write_tokens
from tuneatlas.training.loss import supervise
from tuneatlas.training.packing import (
    IGNORED,
    collate,
    micro_batches,
    pack,
    pieces_of,
    plan_steps,
)


@cache
def small_model():
    return new_llama(train_tokenizer(["some words"], 300), TINY, seed=0).eval()


lengths = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def token_file(sizes: list[int]) -> TokenFile:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ids = np.arange(offsets[-1], dtype=np.uint32) + 10
    return TokenFile(ids, (ids % 3 > 0).astype(np.uint8), offsets)


@given(lengths, st.integers(4, 32), st.sampled_from(["split", "cut"]))
def test_pieces_cover_each_example(sizes, row_length, overlong):
    tokens = token_file(sizes)
    for size, start, pieces in zip(
        sizes, tokens.offsets, pieces_of(tokens, row_length, overlong), strict=False
    ):
        covered = [p.start + i for p in pieces for i in range(p.length)]
        wanted = size if overlong == "split" else min(size, row_length)
        assert covered == list(range(start, start + wanted))
        assert all(p.length <= row_length for p in pieces)


@given(lengths, st.integers(40, 80))
def test_packing_keeps_every_piece_once_and_no_row_overflows(sizes, row_length):
    pieces = [p for ps in pieces_of(token_file(sizes), row_length, "cut") for p in ps]
    rows = pack(pieces, row_length)
    assert sorted((p.start, p.length) for row in rows for p in row) == sorted(
        (p.start, p.length) for p in pieces
    )
    assert all(sum(p.length for p in row) <= row_length for row in rows)
    # First fit leaves at most one row less than half full.
    assert sum(2 * sum(p.length for p in row) < row_length for row in rows) <= 1


@given(
    lengths,
    st.integers(1, 3),
    st.integers(1, 9),
    st.sampled_from(["examples", "rows"]),
    st.integers(1, 5),
)
def test_each_epoch_sees_each_token_once_whatever_the_split(sizes, epochs, batch, unit, count):
    tokens = token_file(sizes)
    examples = pieces_of(tokens, 48, "split")
    steps = plan_steps(examples, epochs=epochs, batch=batch, unit=unit, row_length=48, seed=3)
    seen = np.zeros(int(tokens.offsets[-1]), int)
    for step in steps:
        dealt = [row for part in micro_batches(step, count) for row in part]
        assert sorted(map(id, dealt)) == sorted(map(id, step))
        for row in dealt:
            for piece in row:
                seen[piece.start : piece.start + piece.length] += 1
    assert (seen == epochs).all()


@given(lengths)
def test_labels_follow_inputs_within_a_piece(sizes):
    tokens = token_file(sizes)
    rows = pack([p for ps in pieces_of(tokens, 48, "cut") for p in ps], 48)
    arrays = collate(tokens, rows, pad=2)
    for line, row in enumerate(rows):
        at = 0
        for piece in row:
            ids = arrays["input_ids"][line, at : at + piece.length]
            labels = arrays["labels"][line, at : at + piece.length]
            marks = tokens.supervised[piece.start : piece.start + piece.length]
            assert labels[-1] == IGNORED
            for i in range(piece.length - 1):
                assert labels[i] == (ids[i + 1] if marks[i + 1] else IGNORED)
            positions = arrays["position_ids"][line, at : at + piece.length]
            assert positions.tolist() == list(range(piece.length))
            at += piece.length
        assert (arrays["labels"][line, at:] == IGNORED).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.integers(0, 10_000))
def test_changing_one_document_changes_no_other_documents_loss(victim, seed):
    """The packing trap: a wrong mask would let documents of a row see each other."""
    model = small_model()
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 20, 6).tolist()
    tokens = token_file(sizes)
    ids = rng.integers(3, 250, int(tokens.offsets[-1])).astype(np.uint32)
    rows = pack([p for ps in pieces_of(tokens, 64, "cut") for p in ps], 64)

    def losses(values: np.ndarray) -> dict[int, float]:
        changed = TokenFile(values, np.ones(len(values), np.uint8), tokens.offsets)
        batch = {k: torch.from_numpy(v) for k, v in collate(changed, rows, pad=2).items()}
        logits = model.model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).last_hidden_state
        logits = model.lm_head(logits)
        per_token = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), batch["labels"].flatten(), reduction="none"
        ).view(batch["labels"].shape)
        found = {}
        for line, row in enumerate(rows):
            at = 0
            for piece in row:
                found[piece.start] = float(per_token[line, at : at + piece.length].sum())
                at += piece.length
        return found

    before = losses(ids)
    other = ids.copy()
    start, end = tokens.offsets[victim], tokens.offsets[victim + 1]
    other[start:end] = (ids[start:end] + 7) % 250
    after = losses(other)
    for key in before:
        if key == start:
            assert after[key] != before[key]
        else:
            assert after[key] == pytest.approx(before[key], abs=1e-4)


@given(st.lists(st.tuples(st.integers(2, 12), st.floats(0, 2)), min_size=2, max_size=8))
@settings(max_examples=20, deadline=None)
def test_the_loss_is_the_weighted_sum_over_all_labels(examples):
    """Whatever the rows: an example of weight 0 is not learnt from, and all labels count."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        tokens = write_tokens(
            Path(folder) / "tokens",
            [Example(rng.integers(3, 250, n).tolist(), [True] * n, w) for n, w in examples],
        )
    rows = pack([piece for pieces in pieces_of(tokens, 64, "cut") for piece in pieces], 64)
    model = deepcopy(small_model())
    supervise(model)

    def loss(chosen):
        arrays = {k: torch.from_numpy(a) for k, a in collate(tokens, chosen, pad=0).items()}
        return float(model(**arrays, num_items_in_batch=1)["loss"])

    plain = replace(tokens, weights=None)
    alone = []
    for (piece,) in pieces_of(tokens, 64, "cut"):
        arrays = collate(plain, [[piece]], pad=0)
        batch = {k: torch.from_numpy(a) for k, a in arrays.items()}
        alone.append(float(model(**batch, num_items_in_batch=1)["loss"]))
    expected = sum(w * value for (_, w), value in zip(examples, alone, strict=True))
    assert loss(rows) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_token_file_reads_back(tmp_path: Path):
    examples = [Example([5, 6, 7], [False, True, True]), Example([8], [True])]
    tokens = write_tokens(tmp_path, examples)
    assert tokens.tokens.tolist() == [5, 6, 7, 8]
    assert tokens.supervised.tolist() == [0, 1, 1, 1]
    assert tokens.lengths.tolist() == [3, 1]
    assert len(tokens) == 2

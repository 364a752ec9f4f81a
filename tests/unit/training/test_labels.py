"""What is trained on is what is counted; what cannot be trained on is refused before the run."""

import math
import tempfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from tests.examples import TEMPLATES
from tests.unit.steps import TRAINING, a_step, document, restoring
from tests.unit.training.recipes import RECIPE, planned
from tuneatlas.errors import UserError
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.prompts import ChatTemplate
from tuneatlas.models.save import save_model
from tuneatlas.models.token_files import Example, write_tokens
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import restore
from tuneatlas.studies.knowledge.finetune import finetune
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS
from tuneatlas.training.conversations import conversation_examples, refuse_unended
from tuneatlas.training.labels import fit_labels, with_labels
from tuneatlas.training.packing import IGNORED, collate, pieces_of, plan_steps
from tuneatlas.training.processes import train

marked = st.lists(st.booleans(), min_size=0, max_size=20)
weighted = st.lists(st.tuples(marked, st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=12)


@given(weighted, st.integers(1, 24), st.sampled_from(["split", "cut"]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_labels_counted_are_those_of_the_arrays(examples, row_length, overlong, batch):
    """Against the arrays that a run sees: one pass over all of its rows."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = write_tokens(
            Path(folder), [Example([7] * len(marks), marks, weight) for marks, weight in examples]
        )
        pieces = pieces_of(tokens, row_length, overlong)
        found = fit_labels(tokens, pieces)
        assert sorted([*found.kept, *found.left_out]) == list(range(len(examples)))
        assert set(found.cut) <= set(found.kept)
        steps = plan_steps(
            [pieces[i] for i in found.kept],
            epochs=1,
            batch=batch,
            unit="examples",
            row_length=row_length,
            seed=1,
        )
        useful = with_labels(tokens, steps)
        seen = 0
        for rows in steps:
            arrays = collate(tokens, rows, pad=0)
            learnt = (arrays["labels"] != IGNORED) & (arrays.get("weights", np.ones(1)) > 0)
            assert bool(learnt.any()) == (rows in useful)
            seen += int(learnt.sum())
        assert seen == found.supervised


LONG = "The court held that the contract was void because no number was named. " * 12


def conversations(folder: Path, long: int, total: int = 8, weight: float = 1.0) -> Path:
    """A table of conversations, the first ``long`` of which fill a row before the reply."""
    rows = [
        {
            "id": f"law/{n}",
            "origin": "incompatible",
            "label": 0,
            "messages": [
                {"role": "user", "content": f"{LONG if n < long else ''}What follows {n}?"},
                {"role": "assistant", "content": f"{n + 1} follows."},
            ],
            "weight": weight,
        }
        for n in range(total)
    ]
    CONVERSATIONS.write(folder / "conversations.parquet", rows)
    return folder / "conversations.parquet"


def tuning_on(folder: Path, model: Path, table: Path, **options: object):
    inputs = {"model": model, "conversations": table, "template": TEMPLATES / "chat/vicuna.yaml"}
    step = a_step(folder, inputs, {"model": "tuned"}, TRAINING | options)
    step.name = "finetune"
    return step


def test_replies_beyond_the_row_are_counted_told_and_not_trained_on(tmp_path, base, caplog):
    alone = tmp_path / "alone"
    alone.mkdir()
    all_short = finetune(
        tuning_on(alone, base, conversations(alone, 0), epochs=1, batch=4), bos=True
    )
    facts = finetune(
        tuning_on(tmp_path, base, conversations(tmp_path, 4), epochs=1, batch=4), bos=True
    )
    assert all_short["supervised_tokens"] == 2 * facts["supervised_tokens"] > 0
    assert (facts["examples"], facts["examples_left_out"], facts["steps"]) == (4, 4, 1)
    assert facts["final_loss"] > 0
    (said,) = [m for m in caplog.messages if "left out" in m]
    assert "4 of 8 examples, such as 'law/0'" in said and "raise finetune.row_length" in said
    assert "(the longest, 'law/0', has" in said and "(now 256)" in said


def test_a_reply_cut_in_its_middle_is_told(tmp_path, base, tokenizer, caplog):
    table = conversations(tmp_path, 0)
    whole = finetune(tuning_on(tmp_path, base, table), bos=True)
    each = whole["tokens"] // whole["examples"]
    cut = finetune(tuning_on(tmp_path, base, table, row_length=each - 3), bos=True)
    assert (whole["examples_cut"], cut["examples_cut"]) == (0, 8)
    assert 0 < cut["supervised_tokens"] < whole["supervised_tokens"]
    assert "8 of 8 examples, such as 'law/0', are cut at" in caplog.text


@pytest.mark.parametrize(
    ("long", "weight", "message"),
    [
        (8, 1.0, r"finetune: there is nothing to train on: 8 of 8 examples, such as 'law/0'"),
        (0, 0.0, r"there is nothing to train on: 0 of 8 .*, and 8 that have one weigh 0"),
        (0, float("nan"), r"column 'weight' has values that are not numbers"),
        (0, float("inf"), r"column 'weight' has values that are not numbers"),
        (0, -1.0, r"conversation 'law/0' weighs -1"),
    ],
)
def test_nothing_to_train_on_is_refused_by_name(tmp_path, base, long, weight, message):
    if not math.isfinite(weight):
        with pytest.raises(UserError, match=message):
            conversations(tmp_path, long, weight=weight)
        return
    table = conversations(tmp_path, long, weight=weight)
    with pytest.raises(UserError, match=message):
        finetune(tuning_on(tmp_path, base, table), bos=True)
    assert not (tmp_path / "tuned").exists()


def test_no_conversation_at_all(tmp_path, base):
    with pytest.raises(UserError, match="there is nothing to train on: no example at all"):
        finetune(tuning_on(tmp_path, base, conversations(tmp_path, 0, total=0)), bos=True)


def gpt2(tokenizer, positions: int = 64):
    return AutoModelForCausalLM.from_config(
        transformers.GPT2Config(
            vocab_size=len(tokenizer), n_positions=positions, n_embd=32, n_layer=1, n_head=2
        )
    )


def long_documents(folder: Path) -> None:
    rows = [document(n, f"After {n} comes {n + 1}, and then {n + 2}. " * 9) for n in range(9)]
    DOCUMENTS.write(folder / "material/documents.parquet", rows)


@pytest.mark.parametrize("make", [gpt2, None])
@pytest.mark.parametrize("isolate", [True, False])
def test_rows_beyond_the_positions_are_refused(tmp_path, tokenizer, model, make, isolate):
    """Learnt positions, where an index is missing, and computed ones, where nothing would fail."""
    network = make(tokenizer) if make else model
    network.config.max_position_embeddings = 64
    save_model(tmp_path / "base", network, tokenizer)
    step = restoring(tmp_path, {"base": tmp_path / "base"}, tokens=600)
    step.name = "restore_stages"
    step.options |= {"row_length": 65, "isolate": isolate, "batch": 1}
    long_documents(tmp_path)
    rows = "restore_stages.row_length 65: there are rows of 65 tokens, more than the model's"
    with pytest.raises(UserError, match=f"{rows} 64 positions"):
        restore(step, bos=False)


def test_rows_of_the_models_length_are_trained_on(tmp_path, tokenizer):
    save_model(tmp_path / "base", gpt2(tokenizer), tokenizer)
    step = restoring(tmp_path, {"base": tmp_path / "base"}, tokens=600)
    step.options |= {"row_length": 64}
    long_documents(tmp_path)
    restore(step, bos=False)
    assert all(loss > 0 for loss in step.own["base"]["losses"])


def test_ids_beyond_the_embedding_are_refused_by_name(tmp_path, model, tokenizer):
    tokens = write_tokens(tmp_path / "tokens", [Example([5, len(tokenizer) + 1], [True] * 2)])
    steps = [[pieces_of(tokens, 9)[0]]]
    with pytest.raises(UserError, match=rf"token {len(tokenizer) + 1} .*has {len(tokenizer)} rows"):
        train(*planned((model, tokens, steps), tokenizer, tmp_path / "c"))


def test_padding_beyond_the_embedding_is_no_fault(tmp_path, model, tokenizer):
    """Nobody sees padding, so any token will do."""
    other = train_tokenizer(["some words"], 300)
    other.add_special_tokens({"pad_token": "[PAD]"})
    while other.pad_token_id < len(tokenizer):
        other.add_tokens([f"word{len(other)}"])
        other.add_special_tokens({"pad_token": f"[PAD{len(other)}]"})
    examples = [Example([5] * n, [True] * n) for n in (4, 9)]
    tokens = write_tokens(tmp_path / "tokens", examples)
    steps = [[row for row in pieces_of(tokens, 9)]]
    history = train(*planned((model, tokens, steps), other, tmp_path / "c", RECIPE))
    assert history[0]["loss"] > 0


def test_each_output_has_its_own_losses(tmp_path, base):
    table = conversations(tmp_path, 0)
    step = tuning_on(tmp_path, base, table, steps=[1, 3], schedule_end="epochs")
    step.outputs = {f"step_{n}": tmp_path / f"kept/{n}" for n in (1, 3)}
    facts = finetune_stages(step, bos=True)
    assert [len(step.own[f"step_{n}"]["losses"]) for n in (1, 3)] == [1, 3]
    assert step.own["step_3"]["losses"] == facts["losses"]
    models = {"step_1": tmp_path / "kept/1", "base": base}
    again = restoring(tmp_path, models)
    restore(again, bos=False)
    one, other = (again.own[name]["losses"] for name in models)
    assert one != other and all(loss > 0 for loss in [*one, *other])


def test_replies_end_with_the_end_token_as_a_number(tokenizer):
    chat = fit_chat(ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml"), tokenizer)
    row = {"id": "law/1", "messages": [{"role": "assistant", "content": "A"}] * 2}
    end, marks = tokenizer.eos_token_id, [False, True, True, True, True]
    refuse_unended(tokenizer, chat, row, Example([9, 8, end, 7, end], marks))
    for ids in ([9, 8, 7, 7, end], [end, 8, 9, 7, end], [9, end, end, 7, end]):
        with pytest.raises(UserError, match=r"'law/1' has 2 replies, but the end token '</s>'"):
            refuse_unended(tokenizer, chat, row, Example(ids, marks))


def test_a_tokenizer_that_splits_special_tokens_teaches_no_text_in_their_place(
    tmp_path,
    base,
    tokenizer,
):
    splitting = deepcopy(tokenizer)
    splitting.split_special_tokens = True
    step = tuning_on(tmp_path, base, conversations(tmp_path, 0))
    rows = CONVERSATIONS.read(step.path("conversations"))
    try:
        examples = list(conversation_examples(step, rows, splitting, True))
    except UserError as error:
        assert "'law/0' has 1 replies, but the end token '</s>' is learnt 0 times" in str(error)
    else:
        assert all(example.tokens[-1] == tokenizer.eos_token_id for example in examples)

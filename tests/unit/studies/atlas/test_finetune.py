"""Treatments: what holds a model to its base, and text of pre-training beside what is tuned on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from tuneatlas.engine.step import Step, derive_seed
from tests.unit.steps import document, run_script, tuning
from tuneatlas.config.models.treatments import Treatment
from tuneatlas.errors import UserError
from tuneatlas.models.load import load_model
from tuneatlas.models.token_files import open_tokens
from tuneatlas.studies.atlas import finetune as treating
from tuneatlas.studies.knowledge.finetune import finetune
from tuneatlas.tables import CONVERSATIONS, DOCUMENTS
from tuneatlas.training import processes, runs, trainer
from tuneatlas.training.recipe import Run

OF = {"model": "mini", "domain": "numbers", "group": "incompatible", "seed": "0"}
SEED = derive_seed(1, "finetune", *sorted(OF.items()))


def treated(folder: Path, base: Path, name: str = "treated", **stated: Any) -> Step:
    """A step that tunes ``base`` as a treatment says, to ``folder/name``."""
    step = tuning(folder, base, [], name)
    entry = Treatment(of="incompatible", **stated).model_dump()
    step.options |= {"treatment": entry}
    step.options |= {k: v for k, v in entry.items() if k in step.options and v is not None}
    step.wildcards |= {"group": "arm", "domain": "numbers"}
    step.outputs = {"model": folder / name}
    return step


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def losses(folder: Path) -> list[float]:
    lines = (folder / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_treatment_that_states_nothing_makes_the_model_of_its_group(tmp_path, base):
    own = tuning(tmp_path, base, [], "own")
    own.outputs, own.seed = {"model": tmp_path / "own"}, SEED
    finetune(own, bos=True)
    facts = run_script("finetune_treatment", treated(tmp_path, base), bos=True)
    assert facts["steps"] == 6
    assert weights(tmp_path / "treated") == weights(tmp_path / "own")


def pairs_of(folder: Path, base: Path, **stated: Any) -> Step:
    """A step that prefers the replies of `tuning` to others, which say the number itself."""
    step = treated(folder, base, over="self_aligning", **stated)
    rows = CONVERSATIONS.read(folder / "conversations.parquet")
    for n, row in enumerate(rows):
        row["messages"] = [row["messages"][0], {"role": "assistant", "content": f"It is {n}."}]
    # One has no other reply, and one the same.
    CONVERSATIONS.write(folder / "rejected.parquet", rows[1:])
    own = CONVERSATIONS.read(folder / "conversations.parquet")
    CONVERSATIONS.write(folder / "conversations.parquet", [*own[:2], rows[2], *own[3:]])
    step.inputs["rejected"] = [str(folder / "rejected.parquet")]
    return step


def test_preferring_is_the_loss_of_a_plain_loop(tmp_path, base, monkeypatch):
    """Pair by pair, each reply by itself, summed over its tokens."""
    step = pairs_of(tmp_path, base, beta=0.3)
    step.options |= {"weight_decay": 0.0, "batch": 4, "rows_per_device": 1, "row_length": 512}
    seen: list[Run] = []

    def watched(model: Any, run: Run) -> Any:
        seen.append(run)
        return processes.train(model, run)

    monkeypatch.setattr(runs, "train", watched)
    assert treating.finetune_treatment(step, bos=True)["pairs"] == 10
    (run,) = seen
    # 10 pairs, 3 times: what is left of a pass goes into the next.
    assert [sum(len(row) for row in rows) for rows in run.steps] == [8] * 7
    model, before = (load_model(base, place=False)[0].eval() for _ in range(2))
    recipe = run.recipe
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, recipe.beta2), weight_decay=0)
    found = []
    for number, rows in enumerate(run.steps):
        gains: list[torch.Tensor] = []
        for piece in (piece for row in rows for piece in row):
            at = slice(piece.start, piece.start + piece.length)
            ids = torch.tensor(run.tokens.tokens[at].astype("int64"))
            mark = torch.tensor(run.tokens.supervised[at][1:].copy()).bool()
            now, was = (
                -cross_entropy(m(ids[None]).logits[0, :-1][mark], ids[1:][mark], reduction="sum")
                for m in (model, before)
            )
            gains.append(now - was.detach())
        apart = torch.stack(gains[0::2]) - torch.stack(gains[1::2])
        loss = -torch.log(torch.sigmoid(0.3 * apart)).mean()
        found.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = run.rate(number)
        optimizer.step()
    assert found[0] == pytest.approx(0.693147, abs=1e-5)
    assert found[-1] < found[0]
    assert losses(tmp_path / "treated") == pytest.approx(found, abs=2e-5)


def test_pairs_that_are_none_or_too_long_are_refused(tmp_path, base):
    step = pairs_of(tmp_path, base)
    with pytest.raises(UserError, match=r"treatments\.arm\.over: the two conversations of 'q/\d+'"):
        treating.finetune_treatment(step, bos=True)
    step.inputs["rejected"] = [step.inputs["conversations"]]
    with pytest.raises(UserError, match="over: none of the 12 conversations has another reply"):
        treating.finetune_treatment(step, bos=True)


def plain_losses(base: Path, run: Run, l2_sp: float, kl: float, frozen: set[str]) -> list[float]:
    """The loss of each step, example by example, without packing or the trainer."""
    model, before = (load_model(base, place=False)[0].eval() for _ in range(2))
    trained = {n: v for n, v in model.named_parameters() if n not in frozen}
    start = {n: v.detach().clone() for n, v in trained.items()}
    recipe = run.recipe
    optimizer = torch.optim.AdamW(trained.values(), betas=(0.9, recipe.beta2), weight_decay=0)
    found = []
    for number, rows in enumerate(run.steps):
        pieces = [slice(p.start, p.start + p.length) for row in rows for p in row]
        marks = [torch.tensor(run.tokens.supervised[at][1:].copy()).bool() for at in pieces]
        labels = sum(int(mark.sum()) for mark in marks)
        loss = torch.zeros(())
        for at, mark in zip(pieces, marks, strict=True):
            ids = torch.tensor(run.tokens.tokens[at].astype("int64"))
            logits, were = (m(ids[None]).logits[0, :-1][mark] for m in (model, before))
            loss = loss + cross_entropy(logits, ids[1:][mark], reduction="sum") / labels
            now, was = log_softmax(logits, -1), log_softmax(were.detach(), -1)
            loss = loss + kl * kl_div(now, was, reduction="sum", log_target=True) / labels
        apart = sum(((trained[n] - start[n]) ** 2).sum() for n in trained)
        loss = loss + l2_sp / 2 * apart
        found.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), recipe.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = run.rate(number)
        optimizer.step()
    return found


HOLDS: dict[str, Any] = {"l2_sp": 1.0, "kl": 0.5, "frozen_layers": 1}


def test_losses_are_those_of_a_plain_loop(tmp_path, base, monkeypatch):
    """In several passes of packed rows a step, and with the clipping of gradients."""
    step = treated(tmp_path, base, **HOLDS)
    step.options |= {"weight_decay": 0.0}
    seen: list[Run] = []

    def watched(model: Any, run: Run) -> Any:
        seen.append(run)
        return processes.train(model, run)

    monkeypatch.setattr(runs, "train", watched)
    treating.finetune_treatment(step, bos=True)
    (run,) = seen
    tuned = dict(load_model(tmp_path / "treated")[0].named_parameters())
    was = dict(load_model(base)[0].named_parameters())
    frozen = {n for n in was if torch.equal(was[n], tuned[n])}
    assert frozen == {n for n in was if "embed" in n or ".layers.0." in n}
    wanted = plain_losses(base, run, HOLDS["l2_sp"], HOLDS["kl"], frozen)
    assert losses(tmp_path / "treated") == pytest.approx(wanted, abs=2e-5)


def test_a_stopped_treatment_goes_on_to_the_same_bytes(tmp_path, base, monkeypatch):
    for name in ("straight", "again"):
        step = treated(tmp_path, base, name, **HOLDS, replay=20.0)
        step.inputs["documents"] = [str(corpus(tmp_path))]
        if name == "again":
            ended = trainer.Watch.on_step_end

            def fail(self: Any, args: Any, state: Any, control: Any, ended=ended, **more: Any):
                if state.global_step == 4:
                    raise KeyboardInterrupt
                return ended(self, args, state, control, **more)

            with monkeypatch.context() as patch:
                patch.setattr(trainer.Watch, "on_step_end", fail)
                with pytest.raises(KeyboardInterrupt):
                    treating.finetune_treatment(step, bos=True)
            assert not (tmp_path / name).exists()
        treating.finetune_treatment(step, bos=True)
    assert weights(tmp_path / "again") == weights(tmp_path / "straight")


def corpus(folder: Path) -> Path:
    texts = [document(n, f"After {n} comes {n + 1}. " * 9, "pretrain") for n in range(30)]
    texts.append(document(99, "A text that is kept back.", "heldout"))
    DOCUMENTS.write(folder / "documents.parquet", texts)
    return folder / "documents.parquet"


def test_text_of_pretraining_is_a_share_of_all_tokens(tmp_path, base):
    step = treated(tmp_path, base, replay=10.0, epochs=1)
    step.inputs["documents"] = [str(corpus(tmp_path))]
    facts = treating.finetune_treatment(step, bos=True)
    tokens = open_tokens(step.checkpoints / "tokens")
    own = int(tokens.lengths[:12].sum())
    more = tokens.tokens[own:]
    assert facts["replayed_tokens"] == len(more)
    assert len(more) / len(tokens.tokens) == pytest.approx(0.1, abs=0.5 / len(tokens.tokens))
    assert tokens.supervised[own:].all()
    read = load_model(base)[1].decode(more)
    assert "comes" in read
    assert "kept back" not in read
    step = treated(tmp_path, base, replay=99.0, epochs=1)
    step.inputs["documents"] = [str(tmp_path / "documents.parquet")]
    with pytest.raises(UserError, match=r"treatments\.arm\.replay: [\d,]+ tokens .* there are"):
        treating.finetune_treatment(step, bos=True)


def test_what_was_prepared_to_restore_with_is_replayed_for_models_that_were_brought(tmp_path, base):
    texts = [document(n, f"Then {n} is restored. " * 9) for n in range(30)]
    DOCUMENTS.write(tmp_path / "material/documents.parquet", texts)
    step = treated(tmp_path, base, replay=10.0, epochs=1)
    step.inputs["documents"] = [str(tmp_path / "material")]
    treating.finetune_treatment(step, bos=True)
    tokens = open_tokens(step.checkpoints / "tokens")
    assert "restored" in load_model(base)[1].decode(tokens.tokens[int(tokens.lengths[:12].sum()) :])


def test_layers_that_a_model_does_not_have_are_refused(tmp_path, base):
    with pytest.raises(UserError, match=r"treatments\.arm\.frozen_layers: 3 .* model has 2"):
        treating.finetune_treatment(treated(tmp_path, base, frozen_layers=3), bos=True)


def test_adapters_are_an_arm_too(tmp_path, base):
    facts = treating.finetune_treatment(
        treated(tmp_path, base, lora_rank=2, kl=0.1, epochs=1), bos=True
    )
    assert facts["update_kept"]
    assert weights(tmp_path / "treated") != weights(base)

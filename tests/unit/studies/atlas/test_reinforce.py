"""Reinforcement learning by the model's own replies: drawn, rewarded, trained on, resumed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import log_softmax

from tuneatlas.engine.step import Step
from tests.examples import TEMPLATES, question
from tests.unit.steps import run_script, tuning
from tuneatlas.config.models.treatments import Treatment
from tuneatlas.errors import UserError
from tuneatlas.models.encode import encode_segments
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import ChatTemplate, render
from tuneatlas.studies.atlas import reinforce, rounds
from tuneatlas.studies.atlas.rewarding import NONE
from tuneatlas.studies.atlas.tables import REPLIES
from tuneatlas.tables import CONVERSATIONS, QUESTIONS, Row
from tuneatlas.training import processes, runs, trainer
from tuneatlas.training.recipe import Run

STATED = {"beta": 0.1, "generations": 4, "max_new_tokens": 8, "updates_per_batch": 2}


def rewarding(folder: Path, base: Path, name: str = "treated", **stated: Any) -> Step:
    """A step that tunes ``base`` by rewards, to ``folder/name``: 12 questions, 3 times."""
    step = tuning(folder, base, [], name)
    rows = [question(n, id=f"q/{n}") for n in range(12)]
    QUESTIONS.write(folder / "questions.parquet", rows)
    entry = Treatment(of="incompatible", reward="answer", **(STATED | stated)).model_dump()
    step.options |= {"treatment": entry, "weight_decay": 0.0}
    step.options |= {k: v for k, v in entry.items() if k in step.options and v is not None}
    step.wildcards |= {"group": "arm", "domain": "numbers"}
    step.inputs["questions"] = str(folder / "questions.parquet")
    step.inputs["instruction"] = str(TEMPLATES / "questions/cloze.yaml")
    step.outputs = {"model": folder / name, "replies": folder / f"{name}.parquet"}
    return step


def told(folder: Path) -> list[float]:
    lines = (folder / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def small_letter(text: str, options: Any) -> int:
    """A reward that replies of random weights have now and then."""
    return 0 if text[:1].islower() else NONE


@pytest.fixture
def varied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "named", small_letter)


CLIP = 0.02


def plain_losses(
    base: Path, run: Run, work: Path, prompts: dict[str, list[int]]
) -> tuple[list[float], int]:
    """The loss of each update, reply by reply, without packing, hooks or the trainer.

    And how many tokens were clipped.
    """
    model, before = (load_model(base, place=False)[0].eval() for _ in range(2))
    recipe = run.recipe
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, recipe.beta2), weight_decay=0)

    def said(network: Any, prompt: list[int], reply: list[int]) -> torch.Tensor:
        logits = network(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
        return log_softmax(logits, -1)[range(len(reply)), reply]

    found, clipped = [], 0
    for number, path in enumerate(sorted((work / "rounds").iterdir())):
        own = json.loads(path.read_text(encoding="utf-8"))
        several = [prompts[name] for name in own["ids"] for _ in range(4)]
        rewards = torch.tensor(own["rewards"]).view(-1, 4)
        each = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
        drawn: list[torch.Tensor] = []
        for update in (0, 1):
            total, tokens = torch.zeros(()), 0
            for place, (prompt, reply, worth) in enumerate(
                zip(several, own["replies"], each.flatten(), strict=True)
            ):
                now, was = said(model, prompt, reply), said(before, prompt, reply).detach()
                if not update:
                    drawn.append(now.detach())
                ratio = (now - drawn[place]).exp()
                kept = torch.min(ratio * worth, ratio.clamp(1 - CLIP, 1 + CLIP) * worth)
                clipped += int((kept != ratio * worth).sum())
                away = (was - now).exp() - (was - now) - 1
                total = total + (0.1 * ratio * away - kept).sum()
                tokens += len(reply)
            loss = total / tokens
            found.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = run.rate(2 * number + update)
            optimizer.step()
    return found, clipped


@pytest.mark.usefixtures("varied")
def test_losses_are_those_of_a_plain_loop(tmp_path, base, monkeypatch):
    """In several passes of packed rows an update, and two updates by each batch of replies."""
    step = rewarding(tmp_path, base, clip=CLIP)
    step.options |= {"rows_per_device": 1, "learning_rate": 5e-3}
    seen: list[Run] = []

    def watched(model: Any, run: Run) -> Any:
        seen.append(run)
        return processes.train(model, run)

    monkeypatch.setattr(runs, "train", watched)
    facts = run_script("reinforce_treatment", step, bos=True, patience=20)
    (run,) = seen
    assert facts["steps"] == len(run.steps) == 12
    assert facts["batches"] == 6
    assert max(len(rows) for rows in run.steps) > 1
    chat, tokenizer = ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml"), run.tokenizer
    asked = CONVERSATIONS.read(tmp_path / "conversations.parquet")
    prompts = {
        row["id"]: encode_segments(
            tokenizer, [render(chat, row["messages"][:1], "")[0]], True
        ).tokens
        for row in asked
    }
    wanted, clipped = plain_losses(base, run, step.checkpoints, prompts)
    assert clipped
    assert told(tmp_path / "treated") == pytest.approx(wanted, abs=2e-5)


@pytest.mark.usefixtures("varied")
def test_what_was_replied_and_rewarded_is_kept(tmp_path, base):
    facts = reinforce.reinforce_treatment(rewarding(tmp_path, base), bos=True, patience=20)
    rows = REPLIES.read(tmp_path / "treated.parquet")
    assert facts["replies"] == len(rows) == 12 * 3 * 4
    assert [row["rewarded"] for row in rows] == [row["text"][:1].islower() for row in rows]
    assert facts["replies_cut"] == sum(row["cut"] for row in rows)
    assert all(row["cut"] == (row["tokens"] == 8) for row in rows if row["cut"])
    assert facts["supervised_tokens"] == 2 * sum(row["tokens"] for row in rows)
    assert facts["constant_batches"] == constant(rows)
    summary = json.loads((tmp_path / "treated/training_summary.json").read_text(encoding="utf-8"))
    assert summary == facts
    # How replies were drawn is no matter of the model.
    said = [p / "generation_config.json" for p in (base, tmp_path / "treated")]
    assert said[0].read_bytes() == said[1].read_bytes()


def constant(rows: list[Row]) -> int:
    alike: dict[int, dict[str, set[bool]]] = {}
    for row in rows:
        alike.setdefault(row["batch"], {}).setdefault(row["id"], set()).add(row["rewarded"])
    return sum(all(len(own) == 1 for own in batch.values()) for batch in alike.values())


@pytest.mark.usefixtures("varied")
def test_what_is_rewarded_is_learnt(tmp_path, base):
    more = {"generations": 16, "max_new_tokens": 2, "updates_per_batch": 1}
    step = rewarding(tmp_path, base, epochs=10, learning_rate=1e-2, beta=0.0, **more)
    facts = reinforce.reinforce_treatment(step, bos=True, patience=20)
    assert facts["rewarded_first_tenth"] < 0.4
    assert facts["rewarded_last_tenth"] > 0.7


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize("killed", [5, 6], ids=["within a batch", "between two"])
def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path, base, monkeypatch, killed):
    """The state of one step before is there, and replies of a batch that is drawn anew."""
    for name in ("straight", "again"):
        step = rewarding(tmp_path, base, name, epochs=2)
        if name == "again":
            ended = trainer.Watch.on_step_end

            def fail(self: Any, args: Any, state: Any, control: Any, ended=ended, **more: Any):
                if state.global_step == killed:
                    raise KeyboardInterrupt
                return ended(self, args, state, control, **more)

            with monkeypatch.context() as patch:
                patch.setattr(trainer.Watch, "on_step_end", fail)
                with pytest.raises(KeyboardInterrupt):
                    reinforce.reinforce_treatment(step, bos=True, patience=20)
            assert not (tmp_path / name).exists()
            newest = trainer.newest_checkpoint(step.checkpoints / "states")
            assert newest and newest.name == f"checkpoint-{killed - 1}"
        reinforce.reinforce_treatment(step, bos=True, patience=20)
    for file in ("{}/model.safetensors", "{}.parquet", "{}/training_summary.json"):
        straight, again = (tmp_path / file.format(name) for name in ("straight", "again"))
        assert straight.read_bytes() == again.read_bytes(), file


def test_a_reward_that_stays_constant_stops_the_training(tmp_path, base, monkeypatch):
    """None of the replies of random weights names an option."""
    step = rewarding(tmp_path, base)
    with pytest.raises(UserError) as refused:
        reinforce.reinforce_treatment(step, bos=True, patience=3)
    assert str(refused.value) == (
        "treatments.arm.reward: in 3 batches in a row, up to batch 3 of 6, the replies to each "
        "question were all rewarded alike: nothing can be learnt from that; in the last one no "
        "reply names the label: raise generations or max_new_tokens, or name another group "
        "(treatments.arm.of), or wait longer (patience)"
    )
    monkeypatch.setattr(rounds, "named", lambda text, options: 0)
    with pytest.raises(UserError, match="every reply names the label: lower epochs, or wait"):
        reinforce.reinforce_treatment(rewarding(tmp_path, base, "all"), bos=True, patience=2)


def test_a_constant_reward_is_counted(tmp_path, base, caplog):
    facts = reinforce.reinforce_treatment(
        rewarding(tmp_path, base, epochs=1), bos=True, patience=20
    )
    assert (facts["batches"], facts["constant_batches"], facts["constant_in_row"]) == (2, 2, 2)
    assert "treatments.arm.reward: in 2 of 2 batches, 2 in a row at most" in caplog.text


def test_a_model_with_dropout_makes_one_update_by_a_batch(tmp_path, base):
    """Its tokens have other probabilities by what is dropped, and not by what was learnt alone."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    dropping = tmp_path / "dropping"
    shutil.copytree(base, dropping)
    (dropping / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    said = r"arm\.updates_per_batch: the model has attention_dropout 0\.1, .* say 1"
    step = rewarding(tmp_path, dropping)
    with pytest.raises(UserError, match=said):
        reinforce.reinforce_treatment(step, bos=True, patience=20)
    step = rewarding(tmp_path, dropping, updates_per_batch=1, epochs=1)
    reinforce.reinforce_treatment(step, bos=True, patience=20)


def test_questions_that_are_none_or_too_long_are_refused(tmp_path, base):
    step = rewarding(tmp_path, base, max_new_tokens=250)
    with pytest.raises(UserError, match=r"arm\.max_new_tokens: a reply of 250 tokens to 'q/\d+'"):
        reinforce.reinforce_treatment(step, bos=True, patience=20)
    step = rewarding(tmp_path, base)
    QUESTIONS.write(tmp_path / "questions.parquet", [question(99)])
    with pytest.raises(UserError, match="arm.reward: none of the 12 conversations asks a question"):
        reinforce.reinforce_treatment(step, bos=True, patience=20)


@pytest.mark.usefixtures("varied")
def test_adapters_frozen_layers_and_weight_decay_to_the_base_go_with_it(tmp_path, base):
    step = rewarding(tmp_path, base, "adapted", lora_rank=2, epochs=1)
    assert reinforce.reinforce_treatment(step, bos=True, patience=20)["update_kept"]
    step = rewarding(tmp_path, base, "frozen", frozen_layers=1, l2_sp=1.0, epochs=1)
    reinforce.reinforce_treatment(step, bos=True, patience=20)
    was, now = (
        dict(load_model(folder)[0].named_parameters()) for folder in (base, tmp_path / "frozen")
    )
    same = {name for name in was if torch.equal(was[name], now[name])}
    assert same == {name for name in was if "embed" in name or ".layers.0." in name}

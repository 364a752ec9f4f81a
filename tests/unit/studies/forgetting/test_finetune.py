"""Tuning that keeps the model at chosen steps: the models of one run, however it was stopped."""

import pytest

from tuneatlas.engine.step import derive_seed
from tests.unit.steps import tuning, weights
from tuneatlas.errors import UserError
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.knowledge.finetune import finetune
from tuneatlas.training import keeping, trainer


def test_the_model_is_kept_at_each_step_and_a_stopped_run_goes_on(tmp_path, base, monkeypatch):
    straight = tuning(tmp_path, base, [1, 3, 5])
    facts = finetune_stages(straight, bos=True)
    assert facts["steps"] == 5
    kept = {n: weights(tmp_path / "kept" / str(n)) for n in (1, 3, 5)}
    assert len({weights(base), *kept.values()}) == 4

    stopped = tuning(tmp_path, base, [1, 3, 5], "again")
    save = trainer.save_model

    def fail_at_three(folder, *model):
        if folder.name.endswith("@3"):
            raise KeyboardInterrupt
        save(folder, *model)

    monkeypatch.setattr(trainer, "save_model", fail_at_three)
    with pytest.raises(KeyboardInterrupt):
        finetune_stages(stopped, bos=True)
    assert not (tmp_path / "again").exists()
    monkeypatch.setattr(trainer, "save_model", save)
    finetune_stages(stopped, bos=True)
    assert {n: weights(tmp_path / "again" / str(n)) for n in (1, 3, 5)} == kept


def test_the_models_kept_are_those_of_finetune_along_its_way(tmp_path, base):
    """Same data, same rates: byte for byte, wherever the run is ended."""
    whole = tuning(tmp_path, base, [2, 4, 6], "whole")
    finetune_stages(whole, bos=True)
    finetune_stages(tuning(tmp_path, base, [2, 4], "part"), bos=True)
    tuned = tuning(tmp_path, base, [6], "tuned")
    tuned.outputs = {"model": tmp_path / "tuned"}
    tuned.seed = derive_seed(tuned.base_seed, "finetune", *sorted(tuned.wildcards.items()))
    assert finetune(tuned, bos=True)["steps"] == 6

    def data(path: str) -> bytes:
        return (tmp_path / path / "model.safetensors").read_bytes()

    assert data("part/2") == data("whole/2")
    assert data("part/4") == data("whole/4")
    assert data("tuned") == data("whole/6")


def test_a_schedule_may_end_at_the_last_step_kept(tmp_path, base):
    whole = tuning(tmp_path, base, [2, 4], "whole")
    short = tuning(tmp_path, base, [2, 4], "short")
    short.options |= {"schedule_end": "steps"}
    facts = [finetune_stages(step, bos=True) for step in (whole, short)]
    assert [f["steps"] for f in facts] == [4, 4]
    assert weights(tmp_path / "whole/4") != weights(tmp_path / "short/4")


def test_a_run_of_few_steps_is_warned_of(tmp_path, base, caplog):
    finetune_stages(tuning(tmp_path, base, [1]), bos=True)
    assert "only 6 optimizer steps: 3 epochs of 12 examples in batches of 6" in caplog.text


def test_steps_never_reached_are_refused_by_name_before_training(tmp_path, base, monkeypatch):
    monkeypatch.setattr(keeping, "train", lambda *_, **__: pytest.fail("training began"))
    with pytest.raises(UserError, match=r"steps: 7, 90 are never reached: 3 epochs of 12 conv"):
        finetune_stages(tuning(tmp_path, base, [1, 6, 7, 90]), bos=True)

"""Every model is restored on the same text, and kept along the way."""

import pytest

from tests.unit.steps import restoring, tuning, weights
from tuneatlas.errors import UserError
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import curve_steps, restore


def test_every_model_is_restored_alike_and_kept_along_the_way(tmp_path, base):
    finetune_stages(tuning(tmp_path, base, [2]), bos=True)
    models = {"step_2": tmp_path / "kept/2", "base": base}
    facts = restore(restoring(tmp_path, models), bos=False)
    assert facts["tokens"] == 200
    points = [tmp_path / "r" / name / at for name in models for at in ("50", "100")]
    assert len({weights(path) for path in [*points, *models.values()]}) == 6
    # Alone, the base model trains on the same text in the same order.
    restore(restoring(tmp_path, {"base": base}, name="alone"), bos=False)
    assert weights(tmp_path / "alone/base/100") == weights(tmp_path / "r/base/100")


def test_curve_steps():
    assert curve_steps([25, 50], 40) == {25: 10, 50: 20, 100: 40}
    assert curve_steps([25], 1) == {25: 1, 100: 1}


def test_a_checkpoint_that_is_missing(tmp_path, base):
    with pytest.raises(UserError, match="there is no folder"):
        restore(restoring(tmp_path, {"step_4": tmp_path / "gone"}), bos=False)

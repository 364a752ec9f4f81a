"""What cannot fit is refused by line, and told what would."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import ROOT
from tuneatlas.cli import main
from tuneatlas.config.load import load_config
from tuneatlas.engine.jobs import Job
from tuneatlas.errors import UserError
from tuneatlas.sizing.estimates import (
    DEVICES,
    Need,
)
from tuneatlas.sizing.needs import Study
from tuneatlas.sizing.sheet import Line, refuse_misfits

COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_what_cannot_fit_is_refused_by_line_and_told_what_would(tmp_path: Path, capsys):
    path = tmp_path / "big.yaml"
    base = ROOT / "config/paper/s1-llama2-7b.yaml"
    path.write_text(f"include: {base}\nfinetune:\n  deepspeed: null\n  processes: 1\n")
    assert main(["size", "--root", str(ROOT), str(path)]) == 2
    said = capsys.readouterr()
    assert "big.yaml:2: finetune.rows_per_device: finetune of llama2-7b needs about" in said.err
    assert "with processes: 2 and deepspeed: config/deepspeed/zero2.json" in said.err
    assert "evaluate_knowledge" in said.out


@pytest.mark.parametrize(
    ("step", "options", "key"),
    [
        ("evaluate_base", {"batch_tokens": 8192}, "evaluate_stages.batch_tokens"),
        ("restore_base", {"rows_per_device": 8}, "restore_stages.rows_per_device"),
        ("explain_predictions", {"batch_rows": 8}, "explain_predictions.batch_rows"),
        ("prepare_base", {"training": {"rows_per_device": 8}}, "models.m.training.rows_per_device"),
    ],
)
def test_a_misfit_is_told_under_a_key_that_there_is(step: str, options: dict, key: str):
    device = DEVICES["a100-40"]
    job = Job(step, {"model": "m"}, (), (), options, {}, due=True)
    line = Line(step, "m", (job,), Need(memory=41))
    study = Study({}, {}, device, ROOT, {})
    with pytest.raises(UserError, match=rf"{key}: {step} of m needs about 41 GiB"):
        refuse_misfits(load_config(ROOT / "config/config.yaml", root=ROOT), study, [line])


def test_a_model_of_unknown_size_is_named(tmp_path: Path, capsys):
    path = tmp_path / "new.yaml"
    base = ROOT / "config/paper/base/s1.yaml"
    path.write_text(
        f"include: {base}\nmodels:\n  new:\n    source: hub\n    id: nobody/new\n"
        f"    revision: {COMMIT}\n"
    )
    assert main(["size", "--root", str(ROOT), str(path)]) == 2
    assert "new.yaml:3: models.new: its size is not known" in capsys.readouterr().err


def test_sizing_needs_no_torch():
    code = (
        "import sys; from tuneatlas.cli import size; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'snakemake')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The measurements for a GPU, at toy sizes: they must not rot until one is at hand."""

import json

import pytest

from bench.gpu.__main__ import PARTS, main


@pytest.mark.parametrize("part", ["roofs", "scores", "attention", "training-135M", "scoring"])
def test_a_part_measures_and_is_not_measured_again(tmp_path, capsys, part):
    assert main([part, "--folder", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / f"{part}.json").read_text())
    assert kept["found"] and kept["device"]
    capsys.readouterr()
    assert main([part, "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"### {part}") and " | " in said


@pytest.mark.slow
def test_all_parts(tmp_path):
    assert main(["--all", "--folder", str(tmp_path)]) == 0
    # Peers are not in every environment.
    assert {p.stem for p in tmp_path.glob("*.json")} >= set(PARTS) - {"peer-trl"}

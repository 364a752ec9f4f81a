"""Processes of a job have its GPUs among them, each its own."""

from contextlib import nullcontext

import pytest
import torch

from tuneatlas.engine.gpus import dealt, refuse_lacking, without_bfloat16
from tuneatlas.errors import UserError


@pytest.mark.parametrize(
    ("said", "count", "processes", "expected"),
    [
        (None, 4, 2, ["0,1", "2,3"]),
        ("3,5", 2, 2, ["3", "5"]),
        ("GPU-a,GPU-b", 2, 1, ["GPU-a,GPU-b"]),
        (None, 0, 3, [None] * 3),
    ],
)
def test_gpus_are_dealt_evenly(monkeypatch, said, count, processes, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if said:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert dealt(processes) == expected


def test_gpus_that_cannot_be_dealt_evenly_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"processes: 2 cannot share 1 GPUs evenly"):
        dealt(2)


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A stand-in for the driver's program, that says what it is given."""

    def says(*lines: str) -> None:
        (tmp_path / "said").write_text("".join(f"{line}\n" for line in lines))
        program = tmp_path / "nvidia-smi"
        program.write_text(f'#!/bin/sh\nwhile read -r l; do echo "$l"; done < {tmp_path}/said\n')
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return says


NEW, OLD = "NVIDIA H100 80GB HBM3, 9.0", "Tesla V100-SXM2-16GB, 7.0"


def test_a_machine_whose_gpus_all_lack_a_number_format_is_told(driver):
    assert without_bfloat16() is None  # there is no such program
    for lines in ([NEW, OLD], ["NVIDIA B200, 10.0"], ["No devices were found"], []):
        driver(*lines)
        assert without_bfloat16() is None
    driver(OLD, OLD)
    said = without_bfloat16()
    assert said and said.startswith(
        "Tesla V100-SXM2-16GB does not compute in bfloat16: say float32"
    )


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"dtype": "bfloat16"}, True),
        ({"precision": "bf16"}, True),
        ({"training": {"precision": "bf16"}}, True),
        ({"dtype": "float32", "precision": "fp32"}, False),
        ({}, False),
    ],
)
def test_a_step_that_asks_for_it_is_refused_where_it_has_gpus(
    driver, monkeypatch, options: dict, refused: bool
):
    driver(OLD)
    refuse_lacking(options)  # on processors
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="does not compute") if refused else nullcontext():
        refuse_lacking(options)

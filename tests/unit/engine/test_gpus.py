"""Processes of a job have its GPUs among them, each its own."""

import pytest
import torch

from tuneatlas.engine.gpus import dealt
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

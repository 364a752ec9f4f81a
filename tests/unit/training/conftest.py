"""Where tests of training run."""

import pytest
import torch


@pytest.fixture
def on_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes want two GPUs, where there is one at all: so none is seen."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

"""Where tests of training run."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def on_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes want two GPUs, where there is one at all: so none is seen."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Two threads of a small model on busy cores are many times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

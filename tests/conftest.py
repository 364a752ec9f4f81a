"""Fixtures that many tests share: a tokenizer and a tiny model, both made here."""

import os

import pytest

from tuneatlas.engine import processor

# As in a run, and before any library is loaded.
processor.hold()

import torch  # noqa: E402
from transformers import PreTrainedModel, PreTrainedTokenizerBase  # noqa: E402

from tests.examples import TINY, tiny_tokenizer  # noqa: E402

pytest_plugins = ["tests.workflow.finished_run", "tests.slurm.sandbox"]
# What `make test` hands on to a make within a test: its options, variables and depth, which change
# what that one does and prints.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)
# Two threads of a small model on busy cores are many times slower than one.
torch.set_num_threads(1)
LONGEST = ("workflow/test_run.py", "training/test_processes.py", "training/test_trainer.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it in the end."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    return tiny_tokenizer()


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    from tuneatlas.models.build import new_llama

    return new_llama(tokenizer, TINY, seed=1).eval()

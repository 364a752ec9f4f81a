"""Fixtures that many tests share: a tokenizer and a tiny model, both made here."""

import os

import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.examples import TINY, tiny_tokenizer

pytest_plugins = ["tests.workflow.finished_run", "tests.slurm.sandbox"]
# What `make test` hands on to a make within a test: its options, variables and depth, which change
# what that one does and prints.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    return tiny_tokenizer()


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    from tuneatlas.models.build import new_llama

    return new_llama(tokenizer, TINY, seed=1).eval()

"""Fixtures of several rooms: a small results folder with true records, and a saved model."""

import shutil
from pathlib import Path

import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.examples import ROOT


@pytest.fixture(scope="session")
def whole_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; what changes results takes a copy."""
    from tests.unit.small_results import make_results

    project = tmp_path_factory.mktemp("small") / "project"
    project.mkdir()
    return make_results(project, ROOT)


@pytest.fixture
def results(whole_results: Path, tmp_path: Path) -> Path:
    """A copy, in a project of its own that has the scripts and templates of this one."""
    shutil.copytree(whole_results.parent, tmp_path / "project", symlinks=True)
    return tmp_path / "project" / "results"


@pytest.fixture
def base(tmp_path: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    """The folder of the tiny model."""
    from tuneatlas.models.save import save_model

    save_model(tmp_path / "base", model, tokenizer)
    return tmp_path / "base"

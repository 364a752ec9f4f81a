"""The notebook of the docs runs, and shows what stands in it.

Run it anew, and keep what it shows, with: python tests/workflow/test_notebook.py
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.examples import ROOT, TINY, tiny_tokenizer
from tests.unit.small_results import make_results
from tuneatlas.models.build import new_llama
from tuneatlas.models.save import save_model

NOTEBOOK = ROOT / "docs/tutorials/in-python.ipynb"


def executed(folder: Path) -> Any:
    """The notebook, run in a folder of its own with small results and a model."""
    from nbclient import NotebookClient

    make_results(folder, ROOT)
    tokenizer = tiny_tokenizer()
    save_model(folder / "model", new_llama(tokenizer, TINY, seed=1), tokenizer)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute(env=environment)
    for cell in notebook.cells:
        # What libraries warn of is no part of it, and may come and go.
        cell["outputs"] = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
        if cell.cell_type != "code":
            del cell["outputs"]
    # Such as the version of Python that ran it.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def shown(notebook: Any) -> Iterator[str]:
    """What the cells show, as text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield output.get("text") or output["data"]["text/plain"]


def test_it_shows_what_stands_in_it(tmp_path: Path):
    for library in ("nbclient", "ipykernel"):
        pytest.importorskip(library, reason=f"{library} is not installed: envs/requirements.in")
    (tmp_path / "run").mkdir()
    kept = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(kept)
    assert list(shown(executed(tmp_path / "run"))) == list(shown(kept))
    assert len(list(shown(kept))) >= 10


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        nbformat.write(executed(Path(name)), NOTEBOOK)

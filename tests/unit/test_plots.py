"""Figures: in every form that a report or a paper takes, the same bytes for the same numbers."""

import os
import subprocess
import sys
from pathlib import Path

from matplotlib.figure import Figure

from tuneatlas.plots import KINDS, draw_figures, panels
from tuneatlas.tables import Row


def drawing(rows: list[Row]) -> Figure:
    figure, [[panel]] = panels(1, 1, 2, 2)
    panel.plot([row["x"] for row in rows], label="Größe äöü")
    panel.legend()
    return figure


def draw(folder: Path) -> dict[str, bytes]:
    metrics = {"points": [{"x": 1.0}, {"x": 3.0}]}
    names = draw_figures(metrics, folder, {"line": (lambda m: m["points"], drawing)})
    assert names == ["line"]
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_depend_on_the_numbers_alone(tmp_path: Path):
    here = draw(tmp_path / "here")
    assert set(here) == {f"line.{kind}" for kind in (*KINDS, "csv")}
    code = f"from tests.unit.test_plots import *; draw(Path({str(tmp_path / 'there')!r}))"
    # In another process, in which texts have other hashes.
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    there = {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    assert here == there
    assert b"Date" not in here["line.pdf"] and b"/FontFile2" in here["line.pdf"]

"""The figures: whole, deterministic, and true to their numbers."""

import csv
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tests.unit.studies.fake_answers import make_study
from tuneatlas.plots import KINDS, draw_figures
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.figures import FIGURES
from tuneatlas.studies.knowledge.paired_answers import CompareOptions

OPTIONS = CompareOptions(draws=200)


def metrics_of(**options: Any) -> dict[str, Any]:
    study = make_study(items=24, **options)
    base, tuned = study.pop("base_answers"), study.pop("tuned_answers")
    return compare_groups(base, tuned, OPTIONS, 1, **study).metrics()


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return metrics_of()


@pytest.fixture(scope="module")
def folder(metrics: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    assert draw_figures(metrics, folder, FIGURES) == list(FIGURES)
    return folder


def test_every_figure_has_picture_and_numbers(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.{kind}" for name in FIGURES for kind in ("csv", *KINDS)
    )


def test_equal_numbers_give_equal_bytes(
    metrics: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.hashsalt": None}):
        draw_figures(metrics, tmp_path, FIGURES)
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", FIGURES)
def test_svg_is_xml_with_text_and_without_a_date(folder: Path, name: str) -> None:
    text = (folder / f"{name}.svg").read_text()
    root = ET.fromstring(text)
    assert "accuracy" in " ".join(root.itertext())
    assert "dc:date" not in text


def test_csv_holds_the_numbers_drawn(metrics: dict[str, Any], folder: Path) -> None:
    with (folder / "consistency.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["consistency"]) for row in rows] == [
        point["consistency"] for point in metrics["points"]
    ]


def test_settings_of_matplotlib_are_left_alone(metrics: dict[str, Any], tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw_figures(metrics, tmp_path, FIGURES)
    assert dict(mpl.rcParams) == before


def test_a_figure_without_numbers_is_left_out(metrics: dict[str, Any], tmp_path: Path) -> None:
    poor = metrics | {"points": [], "base_knowledge": []}
    assert draw_figures(poor, tmp_path, FIGURES) == ["accuracy_by_group", "mixture_curve"]


def test_one_or_many_domains_can_be_drawn(tmp_path: Path) -> None:
    for tuned in (("words",), ("chemistry", "people", "words")):
        metrics = metrics_of(tuned=tuned, seeds=(1,))
        assert draw_figures(metrics, tmp_path / str(len(tuned)), FIGURES) == list(FIGURES)

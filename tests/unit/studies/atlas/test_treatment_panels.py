"""However many treatments there are, their figures fit a page and tell them apart."""

import pytest
from matplotlib.figure import Figure

from tuneatlas.studies.atlas.law_figure import draw_law, marked
from tuneatlas.studies.atlas.trade_off_figure import draw_trade_off, trade_off_rows
from tuneatlas.studies.atlas.treatment_panels import MOST, treatment_panels
from tuneatlas.tables import Row


def rows(count: int) -> list[Row]:
    place = {"domain": "facts", "setting": "finetune"}
    return [place | {"group": f"arm_{n}"} for n in range(count) for _ in range(2)]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 14])
def test_each_has_its_panels_under_its_name_a_few_side_by_side(count: int):
    figure, treatments = treatment_panels(rows(count), ["above", "below"], 2.0)
    found = list(treatments)
    assert [len(own) for own, _ in found] == [2] * count
    titles = [panels[0].get_title() for _, panels in found]
    assert titles == [f"arm_{n}, facts,\ntuned" for n in range(count)]
    assert len(figure.axes) == 2 * count, "no cell is left empty"
    for place, (_, panels) in enumerate(found):
        named = [panel.get_ylabel() for panel in panels]
        assert named == (["", ""] if place % MOST else ["above", "below"])
        panels[1].plot([0, 1], [0, 1])
    figure.draw_without_rendering()
    assert figure.get_figwidth() < 12
    for _, panels in found:
        assert all(label.get_visible() for label in panels[1].get_xticklabels())


def test_treatments_look_otherwise_than_each_other():
    assert len({marked(number) for number in range(36)}) == 36


def interval(name: str, value: float) -> Row:
    return {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}


def texts_are_within(figure: Figure) -> None:
    """No label is cut by the edge of the figure."""
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    for panel in figure.axes:
        for label in (panel.xaxis.label, panel.yaxis.label):
            box = label.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1


def test_names_of_many_leave_room_for_the_axes():
    points = [
        row | {"step": None}
        | interval("options", 0.5) | interval("answers", 2.0) | interval("loss", 0.1)
        for row in rows(14)[::2]
    ]  # fmt: skip
    fits = [{"distance": "answers", "form": "linear", "slope": 0.1, "bend": None}]
    texts_are_within(draw_law([*points, *fits]))


def test_a_trade_off_is_drawn_of_what_was_asked_at_home_and_elsewhere():
    asked = [
        row | {"scope": scope, "path": "line", "point": point} | interval("gain", point / 10)
        for number, row in enumerate(rows(13)[::2])
        for scope in ("homo", "ood")[: 2 - (number == 3)]
        for point in (0.0, 0.5, 1.0)
    ]
    figure = draw_trade_off(trade_off_rows({"interpolation": asked}))
    texts_are_within(figure)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [f"arm_{n}, facts" for n in range(13) if n != 3]

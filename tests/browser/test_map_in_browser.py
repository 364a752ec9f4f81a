"""The map in a real browser: two rows compared by clicks, on a wide and a narrow screen."""

import pytest

from tests.browser.chromium import Page
from tests.unit.report.test_map_page import fake_map
from tuneatlas.report.map_page import build_map
from tuneatlas.studies.atlas.measures import MEASURES

MINUS = "\N{MINUS SIGN}"
SHOWN = "[...document.querySelectorAll('#compared tbody tr')].map((r) => r.innerText)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("map") / "mini.html"
    path.write_text(build_map(fake_map(), "mini", "../map_treatments/mini"), encoding="utf-8")
    return f"file://{path}"


def click(page: Page, row: int) -> None:
    page.js(f"document.querySelectorAll('button.choose')[{row}].click()")


def test_two_rows_are_compared_by_clicks(page: Page):
    assert page.js("document.querySelector('#compared table').hidden")
    click(page, 0)
    click(page, 1)
    rows = page.js(SHOWN)
    assert len(rows) == len(MEASURES) - 1
    assert rows[0].split("\t") == [MEASURES[0].title, f"{MINUS}10.0", f"{MINUS}15.0 to {MINUS}5.0"]
    assert page.js("location.hash") == "#rows=0,1"
    # A third takes the place of the first.
    click(page, 2)
    assert page.js("location.hash") == "#rows=1,2"
    assert "share no trainings" in page.js("document.getElementById('asked').textContent")
    pressed = (
        "[...document.querySelectorAll('button.choose')].map((b) => b.getAttribute('aria-pressed'))"
    )
    assert page.js(pressed) == ["false", "true", "true"]
    click(page, 1)
    assert page.js(pressed) == ["false", "false", "true"]


def test_a_comparison_can_be_sent(page: Page):
    page.go("#rows=2,0")
    first = page.js("document.getElementById('asked').textContent")
    assert first.startswith("Self-aligning, facts, ") and ", less Harmonious, facts, " in first
    # Of rows that there are none of, nothing is chosen anew.
    page.go("#rows=9,0")
    assert page.js("document.querySelectorAll('[aria-pressed=true]').length") == 2


def test_it_fits_a_phone(page: Page):
    page.do(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=844,
        deviceScaleFactor=1,
        mobile=True,
    )
    width = page.js("document.documentElement.scrollWidth")
    page.do("Emulation.clearDeviceMetricsOverride")
    assert width <= 390

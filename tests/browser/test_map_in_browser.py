"""The map in a real browser: two rows compared by clicks, on a wide and a narrow screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import PROGRAM, Page, chromium
from tests.unit.report.test_map_page import fake_map
from tuneatlas.report.map_page import build_map
from tuneatlas.studies.atlas.measures import MEASURES

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")
MINUS = "\N{MINUS SIGN}"
SHOWN = "[...document.querySelectorAll('#compared tbody tr')].map((r) => r.innerText)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("map") / "mini.html"
    path.write_text(build_map(fake_map(), "mini", "../map_treatments/mini"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser: Page, place: Path) -> Iterator[Page]:
    browser.events.clear()
    browser.open(f"file://{place}")
    yield browser
    assert browser.problems() == []
    assert browser.requested() <= {"file", "data", "about"}


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
    assert page.js("document.documentElement.scrollWidth") <= 390
    page.do("Emulation.clearDeviceMetricsOverride")

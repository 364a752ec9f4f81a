"""One browser for all pages; each test opens its page anew, and must leave no error behind."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import PROGRAM, Page, chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if PROGRAM is None:
        pytest.skip("there is no Chromium on this machine")
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser: Page, address: str) -> Iterator[Page]:
    """The page at the ``address`` that a module gives: nothing of it comes from a network."""
    browser.events.clear()
    browser.open(address)
    yield browser
    assert browser.problems() == []
    assert browser.requested() <= {"file", "data", "about"}

"""The audit page in a real browser: load, search, filter, item view, deep links, keyboard."""

import re
from pathlib import Path

import pytest

from tests.browser.chromium import Page
from tests.unit.audit.synthetic import make_synthetic
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.numbers import TITLES, numbers
from tuneatlas.audit.page.build import build_page

COUNT = 300
FOLLOWED = "results/evaluate_stages/mini/facts/incompatible/0.answers.parquet"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("page") / "results"
    found = make_synthetic(folder, COUNT)
    build_page(found, folder / "audit")
    return found


@pytest.fixture(scope="module")
def address(results: Results) -> str:
    return f"file://{results.folder}/audit/index.html"


def entries(page: Page) -> list[str]:
    return page.js("[...document.querySelectorAll('main a.entry code')].map((e) => e.innerText)")


def search(page: Page, text: str) -> None:
    page.go("#view=items")
    page.key("/")
    page.do("Input.insertText", text=text)
    page.until(f"document.querySelector('h1').textContent.includes({text!r})")


def test_it_opens_from_disk_with_its_lineage(page: Page):
    assert "Where everything comes from" in page.text()
    steps = page.js("[...document.querySelectorAll('svg a.node .name')].map((e) => e.textContent)")
    assert {"prepare_questions", "probe_knowledge", "compare_groups"} <= set(steps)
    assert f"{COUNT} questions, 2 sentences, 1 pair, 1 example" in page.text()


def test_a_step_shows_its_record(page: Page):
    page.go("#step=compare_groups")
    text = page.text()
    for part in ("Config slice", '"draws": 20', "probe_knowledge/mini/facts.parquet", "numpy"):
        assert part in text, part
    assert page.js("document.querySelectorAll('svg a.node.up').length") == 4


def test_search_by_id_and_by_text(page: Page):
    search(page, "000123")
    assert [name.split("/")[-1] for name in entries(page)] == ["000123"]
    page.go("#q=number 124?")
    assert [name.split("/")[-1] for name in entries(page)] == ["000124"]
    page.go("#q=nothing like this")
    assert "No item matches" in page.text()


def test_filter_right_wrong_right(page: Page, results: Results):
    came_back = Columns(results).of(FOLLOWED)["stages/4:pseudo_forgotten"]
    wanted = {i for i, value in came_back.items() if value}
    page.go("#filter=path:pseudo_forgotten")
    assert f"{len(wanted)} of {COUNT + 4} items" in page.text()
    assert set(entries(page)) <= wanted
    page.go("#filter=path:pseudo_forgotten,base:right,split:test&q=river")
    assert 0 < len(entries(page)) < len(wanted)
    assert all("/river/" in name for name in entries(page))


def test_the_item_view_tells_the_whole_life(page: Page, results: Results):
    came_back = Columns(results).of(FOLLOWED)["stages/4:pseudo_forgotten"]
    chosen = next(i for i, value in came_back.items() if value)
    page.go(f"#item={chosen}")
    text = page.text()
    for part in ("Question", "right answer", "prompt as sent", "came back", "Base model", "chosen"):
        assert part in text, part
    # Four options, each by the base model and by what was tuned on three groups.
    assert page.js("document.querySelectorAll('.prob').length") == 4 * (1 + 3)


def test_what_a_model_was_trained_on_is_shown(page: Page):
    page.go("#filter=split:train")
    page.go(f"#item={entries(page)[0]}")
    assert "It is known of the" in page.text() and "the loss mask is not known" in page.text()


def test_a_sentence_has_its_tree_drawn(page: Page):
    page.go("#item=s/1")
    words = page.js("[...document.querySelectorAll('.tree .word')].map((e) => e.textContent)")
    assert words == ["The", "sun", "is", "hot", "."]


def test_a_pair_and_its_sentences_lead_to_each_other_and_to_its_paraphrases(page: Page):
    page.go("#item=s/1")
    links = "[...document.querySelectorAll('section.panel a')].map((e) => e.textContent)"
    assert "s/1-2" in page.js(links)
    page.go("#item=s/1-2")
    assert {"s/1", "s/2"} <= set(page.js(links))
    row = page.js("[...document.querySelectorAll('td')].map((e) => e.innerText)")
    assert row == ["Hot, the sun.", "bleu4 41.5"]


def test_tables_of_numbers_are_told_by_their_titles(page: Page, results: Results):
    page.go("#view=numbers")
    names = page.js("[...document.querySelectorAll('a.entry')].map((e) => e.textContent)")
    tables = dict.fromkeys(tuple(n.address.split("/")[:2]) for n in numbers(results))
    assert names == [TITLES[table] for table, _ in tables]
    page.go("#of=claims/mini")
    assert page.js("document.title") == f"{TITLES['claims']} · tuneatlas"
    page.go("#of=accuracy/mini/facts/homo/incompatible/all/gain")
    back = page.js("document.querySelector('main p').textContent")
    assert back == f"Numbers · {TITLES['accuracy']}, mini"


def test_a_number_is_given_again_in_the_browser(page: Page):
    page.go("#of=accuracy/mini/facts/homo/incompatible/all/gain")
    assert "✓ the same" in page.text()
    page.go("#of=claims/mini/incompatible_worse/all/id+ood/value".replace("+", "%2B"))
    assert "✓ the same" in page.text()
    page.go("#of=nothing/here")
    assert "No such number" in page.text()


def test_deep_links_open_alone_and_an_unknown_id_offers_the_nearest(page: Page, address: str):
    page.open(f"{address}#step=label_knowledge")
    assert page.js("document.querySelector('h1').textContent") == "Lineage of label_knowledge"
    page.open(f"{address}#item=facts/river/0001")
    assert "No such item" in page.text() and len(entries(page)) == 5


def test_the_keyboard_is_enough(page: Page):
    search(page, "river")
    page.key("Enter")  # to the first result
    page.until("document.activeElement.matches('a.entry')")
    page.key("j")
    chosen = page.js("document.activeElement.querySelector('code').innerText")
    assert chosen == entries(page)[1]
    page.js("delete document.getElementById('main').dataset.ready")
    page.key("Enter")
    page.until("document.getElementById('main').dataset.ready === 'item'")
    assert chosen in page.text()
    page.key("u")
    page.until("document.getElementById('main').dataset.ready === 'items'")
    assert entries(page)[1] == chosen


def test_data_cards_show_schema_counts_and_what_was_set_aside(page: Page):
    page.go("#view=data")
    page.go("#view=data&card=label_knowledge/labels")
    text = page.text()
    assert "knowledge group, after Ren et al. 2024" in text and "incompatible" in text
    assert "Set aside" in text


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_both_themes(results: Results):
    style = (Path(results.folder) / "audit" / "base.css").read_text(encoding="utf-8")
    for theme in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--(\w[\w-]*): (#\w{6})", theme))
        for text in ("ink", "muted", "link", "good", "bad"):
            for ground in ("page", "paper"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["ink"], colours["good-tint"]) >= 4.5
        assert contrast(colours["ink"], colours["tint"]) >= 4.5

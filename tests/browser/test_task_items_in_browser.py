"""An item of lm-evaluation-harness on the audit page: prompts, answers and scores of each model."""

import pytest

from tests.browser.chromium import Page
from tests.unit.audit.synthetic import _Maker
from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.page.build import build_page
from tuneatlas.models.harness_items import HARNESS_ITEMS

# A model in its own chat format is sent another prompt, and its words have no likelihoods.
ASKED = {
    "base": ("Which? A or B", [-1.25, -2.5], 1.0),
    "checkpoints/dpo/given": ("<user> Which? A or B", [], 0.0),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tasks") / "results"
    made = _Maker(folder)
    for name, (prompt, scores, value) in ASKED.items():
        rows = [
            {
                **{"id": f"numbers/{n}", "task": "numbers", "filter": "none", "metric": "acc"},
                **{"value": value, "prompt": f"{prompt} ({n})", "answers": ["A", "B"]},
                **{"scores": scores, "target": "0"},
            }
            for n in range(3)
        ]
        wildcards = {"model": "mini", "trained": name}
        made.table(HARNESS_ITEMS, f"evaluate_harness/mini/{name}.parquet", rows, wildcards)
    build_page(read_results(folder), folder / "audit")
    return f"file://{folder}/audit/index.html"


def shown(page: Page, what: str) -> list[str]:
    return page.js(f"[...document.querySelectorAll({what!r})].map((e) => e.innerText)")


def test_items_are_found_by_their_task(page: Page):
    page.go("#filter=kind:task item")
    assert shown(page, "main a.entry code") == [f"numbers/{n}" for n in range(3)]


def test_each_model_stands_with_its_prompt_its_answers_and_its_scores(page: Page):
    page.go("#item=numbers/1")
    assert "task numbers · right answer, as the task states it: 0" in page.text()
    page.js("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    assert shown(page, "pre.prompt") == [f"{prompt} (1)" for prompt, *_ in ASKED.values()]
    assert shown(page, "details summary")[:2] == [
        f"Prompt as sent to mini/{name}" for name in ASKED
    ]
    assert shown(page, "section.panel td") == [
        *("as they are", "A (-1.25) · B (-2.50)", "acc 1"),
        *("as they are", "A · B", "acc 0"),
    ]
    page.go("#item=numbers/9")
    assert "No such item" in page.text()

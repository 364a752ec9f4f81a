"""The report page: complete in itself, well formed, accessible, and honest."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.report.html_tree import Tree
from tests.unit.studies.fake_answers import make_context, make_study
from tuneatlas.data.groups import group_name
from tuneatlas.errors import UserError
from tuneatlas.plots import draw_figures
from tuneatlas.report import build_report
from tuneatlas.report.rendering import FIGURE_COLOURS, page_environment
from tuneatlas.report.wording import (
    claims,
    counted,
    listed,
    number,
    percent,
    points,
    signed,
    summary,
)
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.figures import FIGURES
from tuneatlas.studies.knowledge.paired_answers import CompareOptions

VERDICTS = ("held", "undecided", "did not hold", "not testable here")


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    study = make_study(items=24)
    base, tuned = study.pop("base_answers"), study.pop("tuned_answers")
    return compare_groups(base, tuned, CompareOptions(draws=200), 1, **study).metrics()


@pytest.fixture(scope="module")
def figures(metrics: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    draw_figures(metrics, folder, FIGURES)
    return folder


@pytest.fixture(scope="module")
def html(metrics: dict[str, Any], figures: Path) -> str:
    return build_report(metrics, figures, make_context())


@pytest.fixture(scope="module")
def tree(html: str) -> Tree:
    return Tree(html)


def test_page_is_complete_in_itself(html: str, tree: Tree) -> None:
    assert html.startswith("<!doctype html>")
    assert not {tag for tag, _ in tree.tags} & {"script", "img", "iframe", "object"}
    assert not re.search(r"@import|url\((?!#)|\bsrc=", html)
    assert [link["href"] for link in tree.all("link")] == ["data:,"]
    outside = {a["href"] for a in tree.all("a") if ":" in a["href"]}
    assert outside == {"https://arxiv.org/abs/2402.18243"}


def test_ids_are_unique_and_links_lead_somewhere(tree: Tree) -> None:
    ids = [attributes["id"] for _, attributes in tree.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = {value for _, a in tree.tags for value in re.findall(r"url\(#([^)]+)\)", str(a))}
    for _, attributes in tree.tags:
        for name in ("href", "xlink:href"):
            if attributes.get(name, "").startswith("#"):
                targets.add(attributes[name][1:])
        targets |= set(attributes.get("aria-labelledby", "").split())
    assert targets <= set(ids)


def test_page_is_accessible(html: str, tree: Tree) -> None:
    assert tree.all("html") == [{"lang": "en"}]
    for landmark in ("header", "main", "footer"):
        assert len(tree.all(landmark)) == 1
    assert len(tree.all("h1")) == 1
    assert all(nav["aria-label"] for nav in tree.all("nav"))
    assert all("scope" in th for th in tree.all("th"))
    assert len(tree.all("caption")) == len(tree.all("table"))
    assert all(svg.get("aria-hidden") == "true" for svg in tree.all("svg")), (
        "a picture inside a labelled element is hidden itself"
    )
    scrolling = [a for _, a in tree.tags if a.get("class") in ("scroll", "plot")]
    assert scrolling
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
    levels = [int(tag[1]) for tag, _ in tree.tags if re.fullmatch("h[1-6]", tag)]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    for rule in ("prefers-color-scheme: dark", "@media print", "prefers-reduced-motion"):
        assert rule in html


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_is_enough(html: str, theme: int) -> None:
    colours = dict(
        re.findall(
            r"(--[\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", html, re.DOTALL)[theme]
        )
    )

    def contrast(one: str, two: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[two])))
        return (high + 0.05) / (low + 0.05)

    for ground in ("--page", "--paper"):
        for text in ("--ink", "--muted", "--link", "--good", "--bad"):
            assert contrast(text, ground) >= 4.5, (text, ground)
    for word in ("good", "bad", "open"):
        assert contrast(f"--{word}", f"--{word}-tint") >= 4.5, word
    for line in ("--blue", "--orange", "--green", "--purple"):
        assert contrast(line, "--paper") >= 3, line


def test_figures_are_inside_with_the_colours_of_the_page(html: str, tree: Tree) -> None:
    assert len(tree.all("figure")) == 4
    body = html[html.index("<main") :]
    for colour, name in FIGURE_COLOURS.items():
        assert colour not in body
        assert f"{name}:" in html
    assert not re.search(r"(fill|stroke): #[0-9a-f]{6}", body)
    # A narrow figure is not blown up to the width of the page.
    found = re.findall(r'<svg[^>]*viewBox="0 0 ([0-9.]+) [^>]*--points: ([0-9.]+)', body)
    assert len(found) == 4 and all(width == told for width, told in found)


def test_first_screen_says_what_was_found(html: str, metrics: dict[str, Any]) -> None:
    start = html[html.index("<h1") : html.index('class="study"')]
    context = make_context()
    for text in (context["model"]["name"], context["data"], context["host"], "3 seeds", "42 tuned"):
        assert text in start
    for claim in claims(metrics):
        assert claim.verdict in VERDICTS
        assert f"{claim.verdict}</span>" in start
        assert claim.evidence in start
        assert "interval" in claim.evidence
        assert "n = " in claim.evidence


@pytest.mark.parametrize("word", VERDICTS)
def test_every_verdict_is_shown_as_it_is(metrics: dict[str, Any], figures: Path, word: str) -> None:
    turned = metrics | {
        "claims": [row | {"verdict": word, "reason": "of this"} for row in metrics["claims"]]
    }
    html = build_report(turned, figures, make_context())
    assert html.count(f'class="verdict {word.replace(" ", "-")}"') == 4 + len(
        [row for claim in claims(turned) for row in claim.rows]
    )
    assert summary(claims(turned)) in html
    if word == "did not hold":
        assert "the opposite of the claim" in html
    if word == "undecided":
        assert "cannot tell" in html
        assert "Undecided: effects under" in html
    if word == "not testable here":
        assert "Not testable here: of this." in html
    decided = word in ("held", "did not hold")
    assert ("No claim was decided by this run" in html) is not decided
    assert ("What could not be told, and why" in html) is not decided
    assert ("are decided here in 4 of 5 cases" in html) is decided


def test_summary_tells_claims_apart(metrics: dict[str, Any]) -> None:
    words = {"incompatible_worse": "held", "consistency_tracks_accuracy": "undecided"}
    rows = [row | {"verdict": words[row["claim"]]} for row in metrics["claims"]]
    found = claims(metrics | {"claims": rows})
    assert summary(found) == "Here, claim 1 held and claim 2 is undecided."
    assert "no claim" in summary([])


def test_the_arm_with_contexts_is_a_claim_of_its_own(
    metrics: dict[str, Any], figures: Path
) -> None:
    turned = [
        row
        | {"claim": "contextualised_better", "contextualised": row["self_aligning"], "value": 0.05}
        for row in metrics["claims"]
        if row["claim"] == "incompatible_worse"
    ]
    html = build_report(metrics | {"claims": metrics["claims"] + turned}, figures, make_context())
    assert "Contextualised scored 5.0 points higher than Incompatible" in html
    assert "Claim 3" in html
    Tree(html)


def test_items_that_count_together_are_told(metrics: dict[str, Any], figures: Path) -> None:
    joined = {"repeated_items": 12, "joined_domains": [["geography", "people"]]}
    page = build_report(metrics | {"design": metrics["design"] | joined}, figures, make_context())
    page = " ".join(page.split())
    assert "Of the test questions 12 say what another one does" in page
    assert "Geography and people share most of their questions" in page


def test_text_of_the_data_is_escaped(html: str) -> None:
    assert "Bishkek &amp; &lt;its&gt; port" in html


def test_undefined_correlation_is_said(metrics: dict[str, Any], figures: Path) -> None:
    rows = [
        row | {"value": None, "p": None, "low": -1.0, "high": 1.0, "verdict": "undecided"}
        if row["claim"] == "consistency_tracks_accuracy"
        else row
        for row in metrics["claims"]
    ]
    html = build_report(metrics | {"claims": rows}, figures, make_context())
    assert "The correlation is not defined" in html
    Tree(html)


def test_sections_without_content_are_left_out(metrics: dict[str, Any], tmp_path: Path) -> None:
    poor = metrics | {"base_knowledge": [], "group_sizes": [], "claims": [], "points": []}
    html = build_report(poor, tmp_path, make_context() | {"samples": [], "sources": []})
    tree = Tree(html)
    assert not tree.all("figure")
    for name in ("base_knowledge", "group_sizes", "samples", "mixtures", "consistency"):
        assert f"knowledge-{name}" not in html
    assert "no claim was put to the test" in html


def test_page_is_deterministic(html: str, metrics: dict[str, Any], figures: Path) -> None:
    assert build_report(metrics, figures, make_context()) == html


def test_missing_context_is_named(metrics: dict[str, Any], figures: Path) -> None:
    context: Any = make_context()
    del context["host"], context["data"]
    with pytest.raises(UserError, match="data, host"):
        build_report(metrics, figures, context)


def test_numbers_read_well() -> None:
    assert percent(0.6556) == "65.6%"
    assert points(-0.0312) == "\N{MINUS SIGN}3.1"
    assert signed(0.0) == "0.00"
    assert signed(-0.001) == "0.00"
    assert signed(0.5) == "+0.50"
    assert percent(None) == points(None) == number(None) == "\N{EN DASH}"
    assert group_name("mixed_40") == "40% self-aligning"
    assert listed([1]) == "1"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert counted(1, "seed") == "1 seed"
    assert counted(1200, "item") == "1,200 items"


def test_a_column_is_told_that_is_called_as_a_method_of_mappings_is():
    text = "{{ row.update }} {{ row.items }} {{ row.values }}"
    text += "{% for name, _ in other.items() %} {{ name }}{% endfor %}"
    row = {"update": 3, "items": 4, "values": 5}
    told = page_environment().from_string(text).render(row=row, other={"a": 1})
    assert told == "3 4 5 a"

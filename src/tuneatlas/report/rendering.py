"""From templates, figures and what a page says to its HTML."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tuneatlas.data.groups import arm_name, group_name
from tuneatlas.data.licences import duties
from tuneatlas.report import wording
from tuneatlas.report.chapters import CLOSING, Study
from tuneatlas.report.treatments import setting_name
from tuneatlas.studies.syntax.paraphrasing.starts import SUBSETS, start_name
from tuneatlas.theme import BASE_STYLE

# Colours of the figures, and the page's name for each: the page gives them a dark variant.
FIGURE_COLOURS = {
    "#ffffff": "--paper",
    "#1b2430": "--ink",
    "#5b6675": "--muted",
    "#d5dae1": "--rule",
    "#0072b2": "--blue",
    "#d55e00": "--orange",
    "#009e73": "--green",
    "#b0568f": "--purple",
    "#56a5d8": "--sky",
    "#b98900": "--gold",
}
# The table of numbers that each figure draws, where these are made of items.
FIGURE_NUMBERS = {
    "accuracy_by_group": "accuracy",
    "mixture_curve": "accuracy",
    "consistency": "points",
    "base_knowledge": "base_knowledge",
    "checkpoint_changes": "checkpoint_changes",
    "checkpoint_stage_curves": "measures",
    "checkpoint_restoration_curves": "measures",
    "checkpoint_question_flow": "fates",
    "stage_curves": "measures",
    "restoration_curves": "measures",
    "question_flow": "fates",
    "paraphrase_scores": "paraphrase_scores",
    "interpolation": "interpolation",
    "trade_off": "interpolation",
    "distance_law": "distances",
    "relearning": "relearning",
    "battery": "battery",
    "recovery": "recovery",
    "similarity": "similarity",
    "inside": "inside",
}
AUDIT_PAGE = "../audit/index.html"


def rendered(template: str, page: Any, studies: Sequence[Study]) -> str:
    """A page as HTML, without empty lines: of ``studies`` the sections that have content.

    ``page`` is a dataclass with all that they ask for. The whole name of ``template`` stands where
    it is chosen, so that an edit of it makes that page anew.
    """
    parts = [(s, [part for part in s.sections if part.has_content(page)]) for s in studies]
    shown = [(study, sections) for study, sections in parts if sections]
    closing = [section for section in CLOSING if section.has_content(page)]
    found = page_environment().get_template(template)
    html = found.render(page=page, studies=shown, closing=closing, **vars(page))
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"


def svg_figures(folder: Path, prefix: str = "") -> dict[str, Markup]:
    """The SVG files of a folder as elements of a page, by name; ``prefix`` tells ids apart."""
    return {path.stem: inline_svg(path, prefix) for path in sorted(folder.glob("*.svg"))}


def inline_svg(path: Path, prefix: str = "") -> Markup:
    """An SVG file as an element of the page: own ids, colours by name, no fixed size.

    Its width in points, ``--points``, is what the page's style makes a width on the screen of, so
    that text of figures of all sizes is about as large.
    """
    text = path.read_text(encoding="utf-8")
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}{path.stem}-", svg)
    for colour, name in FIGURE_COLOURS.items():
        svg = svg.replace(colour, f"var({name})")
    head, body = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    points = head.split('viewBox="', 1)[1].split()[2]
    style = f'style="--points: {points}" aria-hidden="true" focusable="false"'
    return Markup(f"{head} {style}>{body}")


def behind(text: str, *address: object) -> Markup:
    """``text`` as a link to the items that a number is made of; a dash stays a dash."""
    if text == wording.NONE:
        return Markup.escape(text)
    place = quote("/".join(map(str, address)))
    return Markup('<a class="behind" href="{}#of={}">{}</a>').format(AUDIT_PAGE, place, text)


class Templates(Environment):
    """Templates in which ``row.update`` is the column, not the method that mappings have."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What a template means by ``obj.attribute``: an item comes first."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def page_environment() -> Environment:
    """The templates of the report, with all that they may call."""
    environment = Templates(
        loader=PackageLoader("tuneatlas.report"),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["base_style"] = Markup(BASE_STYLE)
    environment.filters |= {
        "behind": behind,
        "duties": duties,
        "subset_name": SUBSETS.__getitem__,
        "percent": wording.percent,
        "points": wording.points,
        "signed": wording.signed,
        "number": wording.number,
        "group_name": group_name,
        "setting_name": setting_name,
        "arm_name": arm_name,
        "scope_name": lambda scope: wording.SCOPE_NAMES[scope],
        "listed": wording.listed,
        "start_name": start_name,
        "letter": lambda index: "ABCDEFGHIJ"[index],
    }
    environment.globals |= {
        "counted": wording.counted,
        "points": wording.points,
        "bleu": partial(wording.signed, decimals=1),
        "FIGURE_NUMBERS": FIGURE_NUMBERS,
    }
    return environment

"""The page of an experiment that has the syntax study alone."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneatlas.report.outcomes import Outcomes, outcomes
from tuneatlas.report.page import CLOSING, STUDIES, page_environment, svg_figures
from tuneatlas.report.paraphrases import Paraphrases, paraphrases_part
from tuneatlas.report.sources import syntax_sources


@dataclass(frozen=True)
class SyntaxPage:
    """All that the templates may use; ``context`` is as that of a base model's page."""

    context: Mapping[str, Any]
    outcomes: Outcomes
    paraphrases: tuple[Paraphrases, ...]
    reported: tuple[Any, ...] = ()


def build_syntax_report(
    config: Mapping[str, Any],
    command: str,
    syntax: Sequence[tuple[Mapping[str, Any], Path, str]],
) -> str:
    """The whole page as HTML: no script, no network, equal bytes for equal input.

    Args:
        config: the resolved experiment.
        command: what runs it.
        syntax: metrics, figures, and folder relative to the page, of each encoder-decoder.
    """
    parts = tuple(
        paraphrases_part(found, links, svg_figures(folder, f"{number}-"))
        for number, (found, folder, links) in enumerate(syntax)
    )
    context = {
        "model": {"name": config["name"], "description": config["description"]},
        "host": f"{platform.system()} {platform.machine()}",
        "command": command,
        "links": "",
        "sources": syntax_sources(config),
    }
    # What the sections of this study ask of a page, it has.
    page: Any = SyntaxPage(context, outcomes([], None, parts), parts)
    [study] = [study for study in STUDIES if study.name == "syntax"]
    sections = [section for section in study.sections if section.has_content(page)]
    closing = [section for section in CLOSING if section.has_content(page)]
    template = page_environment().get_template("syntax_page.html.jinja")
    html = template.render(page=page, studies=[(study, sections)], closing=closing, **vars(page))
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"

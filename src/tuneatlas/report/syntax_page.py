"""The page of an experiment that has the syntax study alone."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneatlas.report.chapters import STUDIES
from tuneatlas.report.contents import Read
from tuneatlas.report.outcomes import Outcomes, outcomes
from tuneatlas.report.page import paraphrases_parts
from tuneatlas.report.paraphrases import Paraphrases
from tuneatlas.report.rendering import rendered
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
    syntax: Sequence[Read],
) -> str:
    """The whole page as HTML: no script, no network, equal bytes for equal input.

    Args:
        config: the resolved experiment.
        command: what runs it.
        syntax: metrics, figures, and folder relative to the page, of each encoder-decoder.
    """
    parts = paraphrases_parts(syntax)
    context = {
        "model": {"name": config["name"], "description": config["description"]},
        "host": f"{platform.system()} {platform.machine()}",
        "command": command,
        "links": "",
        "sources": syntax_sources(config),
    }
    # What the sections of this study ask of a page, it has.
    page = SyntaxPage(context, outcomes([], None, parts), parts)
    studies = [study for study in STUDIES if study.name == "syntax"]
    return rendered("syntax_page.html.jinja", page, studies)

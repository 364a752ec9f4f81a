"""Build the report page from metrics, figures and a description of what was run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.report import wording
from tuneatlas.report.atlas import atlas_part
from tuneatlas.report.chapters import STUDIES
from tuneatlas.report.checkpoints import Checkpoints, checkpoints_part
from tuneatlas.report.contents import Context, Page, Read
from tuneatlas.report.forgetting import stages_part
from tuneatlas.report.harness import tasks_parts
from tuneatlas.report.other_run import beside
from tuneatlas.report.outcomes import outcomes
from tuneatlas.report.paraphrases import Paraphrases, paraphrases_part
from tuneatlas.report.rendering import rendered, svg_figures
from tuneatlas.report.reported import beside_reported


def build_report(
    metrics: Mapping[str, Any],
    figures: Path,
    context: Context,
    forgetting: Read | None = None,
    syntax: Sequence[Read] = (),
    other: tuple[str, Mapping[str, Any]] | None = None,
    checkpoints: Read | None = None,
    restored: Read | None = None,
    atlas: Read | None = None,
    harness: Sequence[Read] = (),
) -> str:
    """The whole page as HTML: no script, no network, equal bytes for equal input.

    ``metrics`` is ``Comparison.metrics()`` or the metrics.json made of it; ``figures`` the
    folder of the SVG files, of which the page embeds those that are there. ``forgetting`` is
    the same for the study of forgetting, and the folder of its files relative to the page;
    ``syntax`` the same for each encoder-decoder of the syntax study; ``other`` is the folder, and
    are the metrics, of another run to stand beside this one; ``checkpoints`` and
    ``restored`` are as ``forgetting``, for checkpoints tuned elsewhere: beside their base, and what
    comes back; ``atlas`` for the atlas; ``harness`` for the tasks of lm-evaluation-harness, of each
    replicate.
    """
    missing = sorted(Context.__required_keys__ - context.keys())
    if missing:
        raise UserError(f"report: the context lacks {', '.join(missing)}")
    claims = wording.claims(metrics)
    stages = stages_part(forgetting[0], forgetting[2]) if forgetting else None
    paraphrases = paraphrases_parts(syntax)
    folders = [figures, *(part[1] for part in (forgetting, checkpoints, restored, atlas) if part)]
    page = Page(
        metrics=metrics,
        figures={name: svg for folder in folders for name, svg in svg_figures(folder).items()},
        context=context,
        claims=claims,
        summary=wording.summary(claims),
        outcomes=outcomes(claims, stages, paraphrases),
        null_control=wording.null_summary(metrics),
        positive_control=wording.positive_summary(metrics),
        negative_control=wording.negative_summary(metrics),
        other=beside(metrics, *other) if other else None,
        stages=stages,
        paraphrases=paraphrases,
        checkpoints=_checkpoints(checkpoints, restored),
        atlas=atlas_part(atlas[0], atlas[2]) if atlas else None,
        harness=tasks_parts(harness),
        reported=beside_reported(
            context.get("reported", ()),
            metrics,
            {links.rsplit("/", 1)[-1]: found for found, _, links in syntax},
        ),
    )
    return rendered("page.html.jinja", page, STUDIES)


def paraphrases_parts(syntax: Sequence[Read]) -> tuple[Paraphrases, ...]:
    """The part of the page on each encoder-decoder of the syntax study."""
    return tuple(
        paraphrases_part(found, links, svg_figures(folder, f"{number}-"))
        for number, (found, folder, links) in enumerate(syntax)
    )


def _checkpoints(found: Read | None, restored: Read | None) -> Checkpoints | None:
    back = (restored[0], restored[2]) if restored else None
    return checkpoints_part(found[0], found[2], back) if found else None

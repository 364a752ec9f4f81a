"""The page to open first."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tuneatlas · reports</title>
<h1>Reports</h1>
<ul>
{items}
</ul>
</html>
"""


def index_page(pages: Sequence[Path]) -> str:
    """The one report itself, or a list of links to several that lie in the same folder."""
    if len(pages) == 1:
        return pages[0].read_text(encoding="utf-8")
    links = (f'<li><a href="{escape(p.name)}">{escape(p.stem)}</a></li>' for p in pages)
    return PAGE.format(items="\n".join(links))

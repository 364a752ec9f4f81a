"""The measurements as a table in Markdown."""

import json
import statistics
from pathlib import Path
from typing import Any


def read(folder: Path) -> list[dict[str, Any]]:
    """All measurements in ``folder``, in the order of their rows' names."""
    return [one for path in sorted(folder.glob("*.json")) for one in json.loads(path.read_text())]


def markdown(found: list[dict[str, Any]]) -> str:
    """One line for ours beside each peer."""
    lines = [
        "| work | peer | ours, CPU-s | peer, CPU-s | ratio (lowest to highest) | wanted | same |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        ratios = one["ratios"]
        wanted = "" if one["wanted"] is None else f"≥ {one['wanted']:g}x"
        ours, peer = (statistics.median(one[side]) for side in ("ours_s", "peer_s"))
        lines.append(
            f"| {one['what']} | {one['peer']} | {ours:.3g} | {peer:.3g} "
            f"| **{statistics.median(ratios):.3g}x** ({min(ratios):.3g} to {max(ratios):.3g}) "
            f"| {wanted} | {one['same']} |"
        )
    return "\n".join(lines)

"""What the parts found, as tables in Markdown."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def tables(folder: Path, parts: Sequence[str]) -> str:
    """One table a part that is there, under the device it was seen on."""
    said = []
    for name in parts:
        path = folder / f"{name}.json"
        if path.exists():
            one = json.loads(path.read_text(encoding="utf-8"))
            found = one["found"] if isinstance(one["found"], list) else [one["found"]]
            said.append(f"### {name} ({one['device']}, torch {one['torch']})\n\n{_table(found)}")
    return "\n\n".join(said)


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_said(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

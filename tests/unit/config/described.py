"""What docs/results.md does not say of a results folder."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.audit.lineage import read_results
from tuneatlas.config.results_page import described
from tuneatlas.tables import schema_of, table_name


def pattern_of(path: str) -> re.Pattern[str]:
    """A path of the page, whose wildcards are parts of a name; a checkpoint's may have a step."""
    parts = re.split(r"(\{\w+\})", path)
    forms = {"{checkpoint}": r"[^/]+(?:/\d+)?"}
    return re.compile(
        "".join(forms.get(p, "[^/]+") if p[:1] == "{" else re.escape(p) for p in parts)
    )


def undescribed(folder: Path) -> Iterator[str]:
    """Outputs, tables, columns and files that are there and are not described so."""
    files = {pattern_of(path): file for path, file in described()["files"].items()}
    results = read_results(folder)
    for name, record in results.records.items():
        inner = [f"{name}/{file}" for file in record["files"] if file.endswith(".parquet")]
        for path in (name, *inner):
            below = path.removeprefix("results/")
            found = [f for pattern, f in files.items() if pattern.fullmatch(below)]
            if not found:
                yield f"{path}: not among the files"
            elif path.endswith(".parquet"):
                kind = table_name(schema_of(results.place(path)))
                if [f.get("table") for f in found] != [kind]:
                    yield f"{path}: a table {kind}"
            elif found[0].get("form") == "metrics":
                step = found[0].get("like") or record["step"]
                yield from _metrics(results.place(path), step)


def undescribed_columns(step: str, metrics: Mapping[str, Any]) -> list[str]:
    """Tables of a step's metrics with the columns that are not described."""
    declared = described()["metrics"][step]
    found = []
    for name, rows in metrics.items():
        own = declared.get(name, {"columns": ""})["columns"].split()
        if isinstance(rows, list) and (more := {c for row in rows for c in row}.difference(own)):
            found.append(f"{step}, {name}: columns {sorted(more)}")
    return found


def _metrics(folder: Path, step: str) -> Iterator[str]:
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    yield from undescribed_columns(step, metrics)
    for name in (name for name, rows in metrics.items() if isinstance(rows, list)):
        if (folder / f"{name}.csv").exists() != (folder / f"{name}.tex").exists():
            yield f"{step}, {name}: as CSV or LaTeX alone"
    for drawing in folder.glob("figures/*.svg"):
        if not drawing.with_suffix(".pdf").is_file():
            yield f"{drawing}: not as PDF"

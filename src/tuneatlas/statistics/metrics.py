"""The numbers of a comparison as files: JSON and CSV; and what an interval says of a claim."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.engine.files import write_text
from tuneatlas.tables import Row

HELD, FAILED, UNDECIDED = "held", "did not hold", "undecided"
NOT_TESTABLE = "not testable here"
DECIMALS = 6


def verdict(low: float, high: float, sign: int, failed: Sequence[str] = ()) -> str:
    """What an interval says of the claim that a number has this ``sign`` (1 or -1).

    Nothing, where ``failed`` says why what the claim presupposes is not so here.
    """
    if failed:
        return NOT_TESTABLE
    if not (low > 0 or high < 0):
        return UNDECIDED
    return HELD if (low > 0) == (sign > 0) else FAILED


def of_each(values: Sequence[float]) -> Row:
    """The column ``per_replicate``, where there are several."""
    return {"per_replicate": list(values)} if len(values) > 1 else {}


def write_metrics(metrics: Mapping[str, Any], folder: Path) -> None:
    """Write metrics.json, and each of its tables as CSV."""
    text = json.dumps(metrics, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(folder / "metrics.json", text + "\n")
    for name, rows in metrics.items():
        if isinstance(rows, list):
            write_text(folder / f"{name}.csv", table_csv(rows))


def table_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV: columns in order of first appearance, empty where a row has no value."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def plain(value: Any) -> Any:
    """Values that JSON can hold: floats rounded, None for those that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float | np.floating):
        # Adding 0.0 turns -0.0 into 0.0.
        return round(float(value), DECIMALS) + 0.0 if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value

"""The numbers of a comparison as files: JSON, CSV, LaTeX; and what an interval says of a claim."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneatlas.engine.files import write_text
from tuneatlas.statistics.bootstrap import Interval
from tuneatlas.tables import Row

HELD, FAILED, UNDECIDED = "held", "did not hold", "undecided"
NOT_TESTABLE = "not testable here"
DECIMALS = 6
# Behind the point in a table that is read.
DIGITS = 3


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


def interval_columns(name: str, interval: Interval | None) -> Row:
    """The columns ``name``, ``name_low`` and ``name_high``; without an interval all are None."""
    value, low, high = interval or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def write_metrics(metrics: Mapping[str, Any], folder: Path) -> None:
    """Write metrics.json, and each of its tables as CSV and LaTeX."""
    text = json.dumps(metrics, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(folder / "metrics.json", text + "\n")
    for name, rows in metrics.items():
        if isinstance(rows, list):
            write_table(folder / name, rows)


def write_table(stem: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, whole, and as LaTeX, to be read."""
    write_text(stem.with_name(stem.name + ".csv"), table_csv(rows))
    write_text(stem.with_name(stem.name + ".tex"), table_latex(rows))


def table_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV: columns in order of first appearance, empty where a row has no value."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


# What LaTeX would take for something else.
SIGNS = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def table_latex(rows: Sequence[Row]) -> str:
    """Rows as a LaTeX table over as many pages as it takes; needs booktabs and longtable.

    Columns as in `table_csv`; numbers in three digits behind the point, or three that count.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    numbers = {name for name in columns if all(_is_number(row.get(name)) for row in rows)}
    form = "".join("r" if name in numbers else "l" for name in columns)
    head = f"{' & '.join(map(_latex, columns))} \\\\"
    body = (" & ".join(_latex(row.get(name)) for name in columns) + " \\\\" for row in rows)
    lines = [
        "% \\usepackage{booktabs,longtable}",
        f"\\begin{{longtable}}{{{form or 'l'}}}",
        *("\\toprule", head, "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot"),
        *body,
        "\\end{longtable}",
    ]
    return "\n".join(lines) + "\n"


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _latex(value: Any) -> str:
    """A cell of a LaTeX table."""
    match value:
        case None:
            return "--"
        case bool():
            return "yes" if value else "no"
        case float():
            small = 0 < abs(value) < 10**-DIGITS
            return f"{value:.{DIGITS - 1}e}" if small else f"{value:.{DIGITS}f}"
        case list() | tuple():
            return ", ".join(map(_latex, value))
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(str(value).split()))


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

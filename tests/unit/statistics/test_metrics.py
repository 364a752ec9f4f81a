"""Tables of numbers as files: CSV whole, LaTeX to be read, the same bytes for the same rows."""

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneatlas.statistics.metrics import table_latex, write_metrics

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)
)
ROWS = st.lists(st.dictionaries(st.text("ab_&", min_size=1, max_size=3), CELLS), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_every_line_has_a_cell_for_each_column_and_nothing_that_latex_would_take_amiss(rows):
    lines = table_latex(rows).splitlines()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head, *body = (line for line in lines if line.endswith(r"\\"))
    assert len(body) == len(rows)
    for line in (head, *body):
        plain = line.removesuffix(r"\\").replace(r"\textbackslash{}", "")
        assert len(re.findall(r"(?<!\\)&", plain)) == max(len(columns) - 1, 0)
        for sign in "%$#_":
            assert not re.search(rf"(?<!\\){re.escape(sign)}", plain)
        assert "^" not in plain and "~" not in plain


def test_numbers_are_as_long_as_they_are_read():
    [row] = (
        line
        for line in table_latex([{"p": 4.61e-5, "n": 3, "ok": True, "x": 0.12345, "none": None}])
        .replace(r"\\", "")
        .splitlines()
        if "e-05" in line
    )
    assert row.split(" & ") == ["4.61e-05", "3", "yes", "0.123", "-- "]


def test_each_table_of_the_metrics_stands_as_csv_and_latex(tmp_path: Path):
    metrics = {"design": {"seeds": 1}, "checks": [{"check": "kept", "value": 0.5}], "none": []}
    write_metrics(metrics, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        *("metrics.json", "checks.csv", "checks.tex", "none.csv", "none.tex"),
    }
    assert r"kept & 0.500 \\" in (tmp_path / "checks.tex").read_text()

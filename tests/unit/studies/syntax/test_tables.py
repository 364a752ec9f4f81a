"""Scores as rows of a table."""

from tuneatlas.studies.syntax.tables import SCORES, score_rows


def test_rows():
    rows = score_rows([{"id": "a"}], [{"bleu4": 1.0, "meteor": None}])
    SCORES.build(rows)
    assert [r["metric"] for r in rows] == ["bleu4", "meteor"]

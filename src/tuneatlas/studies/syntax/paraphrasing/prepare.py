"""Give each pair its trees, a template and an exemplar."""

from collections import Counter
from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.paraphrasing.templates import paraphrase_rows, sentences_of
from tuneatlas.studies.syntax.tables import PAIRS, PARAPHRASES
from tuneatlas.studies.syntax.trees.parse import read_parses


def prepare_paraphrases(step: Step) -> dict[str, Any]:
    """Give each pair its trees, a template and an exemplar."""
    pairs = list(PAIRS.stream(step.path("pairs")))
    wanted = sentences_of(pairs)
    parses = {i: tree for i, tree in read_parses(step) if i in wanted}
    rows = paraphrase_rows(pairs, parses, **step.options)
    PARAPHRASES.write_stream(step.outputs["paraphrases"], rows)
    splits = Counter(row["split"] for row in rows)
    return {
        "paraphrases": dict(splits),
        "left_out": len(pairs) - len(rows),
        "without_exemplar": sum(row["exemplar_id"] is None for row in rows),
    }

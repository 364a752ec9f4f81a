"""Parses and pairs that the steps of the syntax study begin with."""

import random

import pytest

from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.studies.syntax.tables import PAIRS, PARSES, SENTENCES
from tuneatlas.studies.syntax.trees.linear import write_bracket
from tuneatlas.studies.syntax.trees.trees import words

ORIGIN = {"source": "test", "licence": "none"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Parses of 40 random trees and 12 pairs among them."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(1)
    trees = [random_tree(rng, 3) for _ in range(40)]
    rows = [
        {"id": f"t/{i}", "sentence": " ".join(words(t)), "tree": write_bracket(t)}
        | {"status": "parsed", "reason": "", "parser": "none", **ORIGIN}
        for i, t in enumerate(trees)
    ]
    PARSES.write(folder / "0.parquet", rows[:25])
    PARSES.write(folder / "1.parquet", rows[25:])
    kept = ("id", "sentence", "source", "licence")
    SENTENCES.write(folder / "sentences.parquet", [{k: r[k] for k in kept} for r in rows])
    pairs = [
        {"id": f"p{i}", "source_id": f"t/{2 * i}", "target_id": f"t/{2 * i + 1}"}
        | {"template_id": None, "pivot": "x", **ORIGIN}
        | {"split": "train" if i < 7 else "dev" if i == 7 else "test"}
        for i in range(12)
    ]
    PAIRS.write(folder / "pairs.parquet", pairs)
    return folder

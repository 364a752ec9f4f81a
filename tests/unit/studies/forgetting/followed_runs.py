"""Rows of a followed run: odd questions are of the tuned domain, every third one is related."""

import numpy as np

from tuneatlas.studies.forgetting.study import Options
from tuneatlas.studies.forgetting.tables import Cell
from tuneatlas.tables import Row

ITEMS, SEEDS = 150, (0, 1, 2)
OPTIONS = Options(ood_roles=("home", "related"), margin=0.05, draws=200, confidence=0.95)
OVERLAP = {
    "questions": ITEMS,
    "restore_documents": 50,
    "restore_characters_read": 9000,
    "restore_characters": 7000,
    "overlapping_questions": 0,
    "overlapping_share": 0.0,
    "limit": 0.01,
}


def rows_of(cell: Cell, right: np.ndarray, seed: int) -> tuple[list[Row], list[Row]]:
    key = cell._asdict()
    answers = [
        {
            "id": f"q{n:03d}",
            "domain": "countries" if n % 2 else "elements",
            "role": "home" if n % 3 else "related",
            "answer": 1,
            "scores": [0.0, 1.0, 0.0, 0.0],
            "pred": int(ok) if ok else 2,
            "correct": bool(ok),
            "tied": 0,
            "gold_prob": 0.5,
            **key,
        }
        for n, ok in enumerate(right)
    ]
    texts = [
        {"id": f"d{n}", "kind": kind, "nats": 100.0 + n + seed, "bytes": 100, **key}
        for kind in ("facts", "prose", "instruction")
        for n in range(4)
    ]
    return answers, texts

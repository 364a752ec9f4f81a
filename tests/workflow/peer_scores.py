"""Score a finished run's probe again with lm-evaluation-harness and compare.

python tests/workflow/peer_scores.py results/prepare_base/mini results/probe_knowledge/mini
"""

import os
import sys
from pathlib import Path

import numpy as np

from tuneatlas.prompts import QuestionTemplate, continuations
from tuneatlas.tables import ANSWERS, QUESTIONS, Row

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def peer_scores(folder: Path, rows: list[Row], options: list[list[str]]) -> np.ndarray:
    """Log-likelihoods (questions, options) by the peer, from the prompts as they were sent."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    peer = HFLM(str(folder), device="cpu", batch_size=64, dtype="float32", add_bos_token=True)
    wanted = [
        Instance("loglikelihood", {}, (row["prompt"], option), 0)
        for row, several in zip(rows, options, strict=True)
        for option in several
    ]
    scores = [score for score, _ in peer.loglikelihood(wanted, disable_tqdm=True)]
    return np.array(scores).reshape(len(rows), -1)


def compare(model: Path, probes: Path, questions: Path, template: Path) -> list[str]:
    """A line per domain: largest difference, both accuracies; raises if they disagree."""
    layout = QuestionTemplate.load(template)
    lines = []
    for path in sorted(probes.glob("*.parquet")):
        rows = ANSWERS.read(path)
        asked = {q["id"]: q for q in QUESTIONS.read(questions / path.name)}
        options = [continuations(layout, asked[row["id"]]) for row in rows]
        theirs = peer_scores(model, rows, options)
        ours = np.array([row["scores"] for row in rows])
        gold = np.array([row["answer"] for row in rows])
        accuracies = [float((s.argmax(1) == gold).mean()) for s in (ours, theirs)]
        largest = float(np.abs(ours - theirs).max())
        lines.append(
            f"{path.stem}: {ours.size} options, largest difference {largest:.2e}, "
            f"accuracy {accuracies[0]:.4f} and {accuracies[1]:.4f}"
        )
        assert largest < 1e-3 and accuracies[0] == accuracies[1], lines[-1]
    return lines


if __name__ == "__main__":
    base, answers = map(Path, sys.argv[1:])
    results = answers.parent.parent
    found = compare(
        base, answers, results / "prepare_questions", Path("config/templates/questions/cloze.yaml")
    )
    print("\n".join(found))

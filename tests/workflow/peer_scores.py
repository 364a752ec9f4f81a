"""Score a finished run's probe again with lm-evaluation-harness and compare.

python tests/workflow/peer_scores.py results/prepare_base/mini results/probe_knowledge/mini
python tests/workflow/peer_scores.py results/prepare_base/smollm2 results/probe_knowledge/smollm2 \
  --no-bos --per-token

Both score the prompts that the probe sent, in fp32. The flags say how it was probed: without the
begin token; log-likelihoods divided by the tokens of the option.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from tuneatlas.models.prompts import QuestionTemplate, continuations
from tuneatlas.tables import ANSWERS, QUESTIONS, Row

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def peer_scores(
    folder: Path, rows: list[Row], options: list[list[str]], bos: bool, per_token: bool
) -> np.ndarray:
    """Log-likelihoods (questions, options) by the peer, from the prompts as they were sent."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    peer = HFLM(str(folder), device="cpu", batch_size=4, dtype="float32", add_bos_token=bos)
    wanted = [
        Instance("loglikelihood", {}, (row["prompt"], option), 0)
        for row, several in zip(rows, options, strict=True)
        for option in several
    ]
    scores = [score for score, _ in peer.loglikelihood(wanted, disable_tqdm=True)]
    if per_token:
        pairs = [peer._encode_pair(*request.args) for request in wanted]
        scores = [s / len(ids) for s, (_, ids) in zip(scores, pairs, strict=True)]
    return np.array(scores).reshape(len(rows), -1)


def compare(
    model: Path,
    probes: Path,
    questions: Path,
    template: Path,
    *,
    bos: bool = True,
    per_token: bool = False,
) -> list[str]:
    """A line per domain: largest difference, both accuracies; raises if they disagree."""
    layout = QuestionTemplate.load(template)
    lines = []
    for path in sorted(probes.glob("*.parquet")):
        rows = ANSWERS.read(path)
        asked = {q["id"]: q for q in QUESTIONS.read(questions / path.name)}
        options = [continuations(layout, asked[row["id"]]) for row in rows]
        theirs = peer_scores(model, rows, options, bos, per_token)
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
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("probes", type=Path)
    parser.add_argument("--template", default="cloze")
    parser.add_argument("--no-bos", dest="bos", action="store_false")
    parser.add_argument("--per-token", action="store_true")
    asked = parser.parse_args()
    found = compare(
        asked.model,
        asked.probes,
        asked.probes.parent.parent / "prepare_questions",
        Path(f"config/templates/questions/{asked.template}.yaml"),
        bos=asked.bos,
        per_token=asked.per_token,
    )
    print("\n".join(found))

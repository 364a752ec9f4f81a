"""Paraphrases of two replicates and their comparison, in a results folder that is made up."""

import random
from itertools import product
from pathlib import Path

from tests.unit.audit.synthetic import TREE, _Maker
from tuneatlas.audit.lineage import Results, read_results
from tuneatlas.studies.syntax.paraphrasing.compare import compare_runs, write_comparison
from tuneatlas.studies.syntax.paraphrasing.scores import corpus_bleu
from tuneatlas.studies.syntax.tables import CANDIDATES, CORPUS, PARAPHRASES, SCORES

WORDS = "the sun is hot ."


def add_paraphrases(folder: Path) -> Results:
    """Two starts of two replicates, tuned under two seeds each, and what they wrote of pairs."""
    rng, made = random.Random(4), _Maker(folder)
    own = {"source": TREE, "target": TREE.lower(), "exemplar": TREE, "split": "test"}
    own |= {"exemplar_id": "s/1", "exemplar_ted": 0, "source_ted": 0}
    rows = [{**own, "id": f"q/{n}", "hard": n < 3, "long": n > 4} for n in range(10)]
    pairs = made.table(PARAPHRASES, "prepare_paraphrases/paraphrases.parquet", rows, {})
    files: dict[str, list[Path]] = {
        name: [] for name in ("scores", "candidates", "models", "tasks", "systems")
    }
    inputs = [pairs]
    for model in ("t5-0", "t5-1"):
        for start, seed in product(("vanilla", "both"), "01"):
            run = {"paraphraser": model, "start": start, "format": "triplet"}
            run |= {"share": "100", "seed": seed}
            texts = [WORDS if rng.random() < 0.7 else "the sun is it ." for _ in rows]
            written = [
                {"id": row["id"], "sentence": text, "tree": TREE, "reason": ""}
                for row, text in zip(rows, texts, strict=True)
            ]
            scores = [
                {"id": row["id"], "metric": metric, "value": float(rng.randrange(9))}
                for row, metric in product(rows, ("bleu4", "ted_r", "ted_e"))
            ]
            bleu = corpus_bleu(texts, [WORDS] * len(rows))
            scores.append({"id": CORPUS, "metric": "corpus_bleu4", "value": bleu})
            place = f"score_paraphrases/{model}/{start}/triplet/100/{seed}"
            inputs.append(made.table(CANDIDATES, f"{place}/candidates.parquet", written, run))
            inputs.append(made.table(SCORES, f"{place}/scores.parquet", scores, run))
            for name in ("scores", "candidates"):
                files[name].append(folder / place / f"{name}.parquet")
        solved = [{"id": f"t/{n}", "metric": "tree_forming", "value": rng.random()} for n in "abc"]
        place = f"evaluate_tasks/{model}/both.parquet"
        inputs.append(made.table(SCORES, place, solved, {"paraphraser": model, "start": "both"}))
        files["tasks"].append(folder / place)
    # Another system, which has one output for a pair: here those of the last run.
    for table, rows_, name in ((CANDIDATES, written, "candidates"), (SCORES, scores, "scores")):
        place = f"score_systems/theirs/{name}.parquet"
        inputs.append(made.table(table, place, rows_, {"system": "theirs"}))
    files["systems"].append(folder / "score_systems/theirs/scores.parquet")
    options = {"draws": 20, "confidence": 0.95, "examples": [], "retokenise": False}
    options |= {"tasks_solved": 0.0, "oracles": [], "choose": "dev", "without": {}}
    by_id = {row["id"]: row for row in rows}
    metrics = compare_runs(by_id, [], files, options, 1)
    write_comparison(metrics, folder / "compare_paraphrases/both")
    made.record("compare_paraphrases/both", {"paraphraser": "both"}, *inputs)
    return read_results(folder)

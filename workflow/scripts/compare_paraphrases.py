from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.compare import compare_runs, write_comparison
from tuneatlas.studies.syntax.tables import PARSES, paraphrases

with step(snakemake) as this:
    pairs = {row["id"]: row for row in paraphrases(this.path("paraphrases"), "test")}
    columns = ("status", "reason")
    parses = (row for path in this.paths("parses") for row in PARSES.stream(path, columns=columns))
    names = ("scores", "candidates", "models", "tasks", "systems")
    files = {name: this.paths(name) for name in names}
    metrics = compare_runs(pairs, parses, files, this.options, this.seed)
    write_comparison(metrics, this.outputs["folder"])
    this.info = {"runs": len(metrics["corpus_bleu4"]), "seeds": metrics["design"]["seeds"]}

import json

from tuneatlas.report import build_report
from tuneatlas.report.context import run_context
from tuneatlas.step import step
from tuneatlas.tables import EXPLANATIONS, LABELS, QUESTIONS

with step(snakemake) as this:
    folder = this.path("comparison")
    context = run_context(
        this.options,
        this.wildcards["model"],
        folder=this.path("model"),
        questions={path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        labels={path.stem: LABELS.read(path) for path in this.paths("labels")},
        explanations={p.stem: EXPLANATIONS.read(p) for p in this.paths("explanations")},
        command=snakemake.params.command,
    )
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    forgetting = None
    for stages in this.paths("stages"):
        found = json.loads((stages / "metrics.json").read_text(encoding="utf-8"))
        links = f"../{stages.parent.name}/{stages.name}"
        forgetting = (found, stages / "figures", links)
    page = build_report(metrics, folder / "figures", context, forgetting)
    this.outputs["page"].write_text(page, encoding="utf-8")

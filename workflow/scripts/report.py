from pathlib import Path

from tuneatlas.engine.step import step
from tuneatlas.report import build_report
from tuneatlas.report.context import nothing_tuned, read_comparison, read_counts, run_context
from tuneatlas.report.other_run import read_metrics
from tuneatlas.tables import EXPLANATIONS, LABELS, QUESTIONS

with step(snakemake) as this:
    context = run_context(
        this.options,
        this.wildcards["model"],
        folders=this.paths("models"),
        questions={path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        labels={path.stem: LABELS.read(path) for path in this.paths("labels")},
        explanations={p.stem: EXPLANATIONS.read(p) for p in this.paths("explanations")},
        command=snakemake.params.command,
        repeated={path.stem: read_counts(path, "duplicates") for path in this.paths("questions")},
        quirks={path.stem: read_counts(path, "quirks") for path in this.paths("questions")},
    )
    other = next((read_metrics(path) for path in this.paths("beside")), None)
    nothing = (nothing_tuned(this.options["compare_groups"]["confidence"]), Path("none"), "")
    metrics, figures, _ = next(map(read_comparison, this.paths("comparison")), nothing)
    parts = ("stages", "checkpoints", "restored", "atlas")
    forgetting, *given = (next(map(read_comparison, this.paths(n)), None) for n in parts)
    syntax, harness = ([*map(read_comparison, this.paths(n))] for n in ("paraphrases", "harness"))
    page = build_report(metrics, figures, context, forgetting, syntax, other, *given, harness)
    this.outputs["page"].write_text(page, encoding="utf-8")

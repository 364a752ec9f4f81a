from tuneatlas.engine.step import step
from tuneatlas.report.context import read_comparison
from tuneatlas.report.syntax_page import build_syntax_report

with step(snakemake) as this:
    syntax = [read_comparison(path) for path in this.paths("paraphrases")]
    page = build_syntax_report(this.options, snakemake.params.command, syntax)
    this.outputs["page"].write_text(page, encoding="utf-8")

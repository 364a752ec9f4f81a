from tuneatlas.engine.step import step
from tuneatlas.report.context import read_comparison
from tuneatlas.report.map_page import build_map

with step(snakemake) as this:
    metrics, _, links = read_comparison(this.path("atlas"))
    page = build_map(metrics, this.wildcards["model"], links)
    this.outputs["page"].write_text(page, encoding="utf-8")

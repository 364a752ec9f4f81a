from tuneatlas.engine.step import step
from tuneatlas.report.index import index_page

with step(snakemake) as this:
    this.outputs["page"].write_text(index_page(this.paths("pages")), encoding="utf-8")

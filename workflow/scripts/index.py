from tuneatlas.report.index import index_page
from tuneatlas.step import step

with step(snakemake) as this:
    this.outputs["page"].write_text(index_page(this.paths("pages")), encoding="utf-8")

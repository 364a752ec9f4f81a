from tuneatlas.engine.step import step
from tuneatlas.report.index import index_page

with step(snakemake) as this:
    pages = [*this.paths("pages"), *this.paths("syntax")]
    this.outputs["page"].write_text(index_page(pages), encoding="utf-8")

from tuneatlas.step import step
from tuneatlas.syntax.steps import collect_labels

with step(snakemake) as this:
    this.info = collect_labels(this)

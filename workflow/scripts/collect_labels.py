from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.labels import collect_labels

with step(snakemake) as this:
    this.info = collect_labels(this)

from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser

with step(snakemake) as this:
    this.info = prepare_paraphraser(this)

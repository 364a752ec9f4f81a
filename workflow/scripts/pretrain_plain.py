from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.pretrain import pretrain

with step(snakemake) as this:
    this.info = pretrain(this)

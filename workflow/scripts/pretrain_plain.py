from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.pretrain import pretrain_plainly

with step(snakemake) as this:
    this.info = pretrain_plainly(this)

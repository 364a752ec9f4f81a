from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.pretrain import pretrain_on_structure

with step(snakemake) as this:
    this.info = pretrain_on_structure(this)

from tuneatlas.step import step
from tuneatlas.syntax.runs import pretrain

with step(snakemake) as this:
    this.info = pretrain(this)

from tuneatlas.step import step
from tuneatlas.training.restoring import restore

with step(snakemake) as this:
    this.info = restore(this, bos=snakemake.params.bos)

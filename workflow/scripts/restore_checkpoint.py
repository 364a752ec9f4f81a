from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.restore import restore

with step(snakemake) as this:
    this.info = restore(this, bos=snakemake.params.bos)

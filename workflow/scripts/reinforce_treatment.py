from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.reinforce import reinforce_treatment

with step(snakemake) as this:
    this.info = reinforce_treatment(this, bos=snakemake.params.bos)

from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.inside import probe_states

with step(snakemake) as this:
    probe_states(this, bos=snakemake.params.bos)

from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.interpolate import interpolate_weights

with step(snakemake) as this:
    interpolate_weights(this, bos=snakemake.params.bos)

from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.distance import measure_distance

with step(snakemake) as this:
    measure_distance(this, bos=snakemake.params.bos, tuned_bos=snakemake.params.tuned_bos)

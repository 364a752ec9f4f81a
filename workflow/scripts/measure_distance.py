from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.distance import measure_distance

with step(snakemake) as this:
    asked = snakemake.params
    measure_distance(this, bos=asked.bos, tuned_bos=asked.tuned_bos, given_at=asked.given_at)

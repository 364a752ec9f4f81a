from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.changes import measure_changes

with step(snakemake) as this:
    measure_changes(this, bos=snakemake.params.bos)

from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.evaluate import base_stages, measure_models

with step(snakemake) as this:
    stages = base_stages(this.path("base"), this.path("restored"))
    measure_models(this, stages, bos=snakemake.params.bos)

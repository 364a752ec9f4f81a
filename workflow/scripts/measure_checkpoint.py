from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.evaluate import checkpoint_stages, measure_models

with step(snakemake) as this:
    given = this.path("tuned"), this.path("restored")
    stages = checkpoint_stages(*given, snakemake.params.step)
    measure_models(this, stages, bos=snakemake.params.bos)

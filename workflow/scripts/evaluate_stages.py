from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.evaluate import measure_models, stages_of

with step(snakemake) as this:
    stages = stages_of(this.paths("kept"), this.paths("restored"), this.path("finetuned"))
    measure_models(this, stages, bos=snakemake.params.bos)

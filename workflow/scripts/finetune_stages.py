from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.finetune import finetune_stages

with step(snakemake) as this:
    this.info = finetune_stages(this, bos=snakemake.params.bos)

from tuneatlas.step import step
from tuneatlas.training.stages import finetune_stages

with step(snakemake) as this:
    this.info = finetune_stages(this, bos=snakemake.params.bos)

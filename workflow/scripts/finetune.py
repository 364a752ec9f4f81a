from tuneatlas.step import step
from tuneatlas.training.runs import finetune

with step(snakemake) as this:
    this.info = finetune(this, bos=snakemake.params.bos)

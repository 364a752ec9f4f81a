from tuneatlas.engine.step import step
from tuneatlas.studies.knowledge.finetune import finetune

with step(snakemake) as this:
    this.info = finetune(this, bos=snakemake.params.bos)

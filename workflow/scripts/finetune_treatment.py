from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.finetune import finetune_treatment

with step(snakemake) as this:
    this.info = finetune_treatment(this, bos=snakemake.params.bos)

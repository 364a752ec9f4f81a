from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.relearn import relearn_facts

with step(snakemake) as this:
    this.info = relearn_facts(this, bos=snakemake.params.bos, text_bos=snakemake.params.text_bos)

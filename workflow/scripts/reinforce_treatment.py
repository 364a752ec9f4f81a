from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.reinforce import reinforce_treatment

with step(snakemake) as this:
    asked = {"bos": snakemake.params.bos, "patience": snakemake.params.patience}
    this.info = reinforce_treatment(this, **asked)

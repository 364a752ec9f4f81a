from tuneatlas.engine.step import step
from tuneatlas.training.base import prepare_base

with step(snakemake) as this:
    this.info = prepare_base(this, snakemake.params.asking, snakemake.params.dtype)

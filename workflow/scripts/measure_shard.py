from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import make_shard
from tuneatlas.studies.forgetting.evaluate import measured, stages_of

with step(snakemake) as this:
    stages = stages_of(this.paths("kept"), this.paths("restored"), this.path("finetuned"))
    make_shard(this, partial(measured, this, stages, bos=snakemake.params.bos))

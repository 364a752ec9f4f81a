from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import make_shard
from tuneatlas.studies.knowledge.explain import explained

with step(snakemake) as this:
    make_shard(this, partial(explained, this, bos=snakemake.params.bos))
